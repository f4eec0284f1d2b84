import { DynamoDBClient, type DynamoDBClientConfig, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { expect } from 'chai'
import { type AwsCredentials, clientFor, connectionOf } from '../../src/dynamo/dynamo-connection.ts'
import { rejectionOf } from '../contracts/control-store-world.ts'
import { sharedDynalite } from '../support/emulators.ts'

const CREDENTIALS = { accessKeyId: 'id', secretAccessKey: 'secret' }
const PLAIN = { region: 'eu-west-1', useFipsEndpoint: false, useDualstackEndpoint: false }

/** Runs `work` with an environment in which there is nothing about AWS but `variables`. */
async function withEnvironment<T>(variables: Record<string, string>, work: () => Promise<T>): Promise<T> {
  const env = process.env
  const rest = Object.entries(env).filter(([name]) => !name.startsWith('AWS_'))
  const nowhere = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }
  process.env = { ...Object.fromEntries(rest), ...nowhere, AWS_EC2_METADATA_DISABLED: 'true', ...variables }
  try {
    return await work()
  } finally {
    process.env = env
  }
}

describe('connectionOf', () => {
  const configs: readonly [string, DynamoDBClientConfig, object][] = [
    ['a region', { region: 'eu-west-1' }, PLAIN],
    ['a region that is looked up', { region: async () => 'eu-west-1' }, PLAIN],
    ['an endpoint', { region: 'eu-west-1', endpoint: 'http://localhost:8000' }, { endpoint: 'http://localhost:8000/' }],
    [
      'an endpoint with a path',
      { region: 'eu-west-1', endpoint: 'https://proxy/dynamo' },
      { endpoint: 'https://proxy/dynamo' }
    ],
    [
      'an endpoint in parts',
      { region: 'eu-west-1', endpoint: { protocol: 'http:', hostname: '[::1]', port: 8000, path: '/' } },
      { endpoint: 'http://[::1]:8000/' }
    ],
    [
      'special endpoints',
      { region: 'eu-west-1', useFipsEndpoint: true, useDualstackEndpoint: true },
      { useFipsEndpoint: true, useDualstackEndpoint: true }
    ]
  ]
  for (const [name, config, expected] of configs) {
    it(`says where DynamoDB is, given ${name}, by configuration or in a client`, async () => {
      const given = { ...config, credentials: CREDENTIALS }
      const client = new DynamoDBClient({ ...given })
      for (const option of [given, client, DynamoDBDocumentClient.from(client) as unknown as DynamoDBClient]) {
        const { settings } = await connectionOf(option)
        expect(settings).to.deep.equal({ ...PLAIN, ...expected })
        expect(structuredClone(settings)).to.deep.equal(settings)
      }
    })
  }

  it('has the credentials as plain data, as they are now', async () => {
    const expiration = new Date(1_900_000_000_000)
    const { credentials } = await connectionOf({
      region: 'eu-west-1',
      credentials: async () => ({ ...CREDENTIALS, sessionToken: 'token', expiration })
    })
    expect(await credentials()).to.deep.equal({ ...CREDENTIALS, sessionToken: 'token', expiresAtMs: 1_900_000_000_000 })
    expect(structuredClone(await credentials())).to.deep.equal(await credentials())
  })

  it('fetches new credentials when those it has are about to expire', async () => {
    let fetched = 0
    const expiration = new Date(1_000)
    const provider = async () => ({ ...CREDENTIALS, accessKeyId: `id-${++fetched}`, expiration })
    const { credentials } = await connectionOf({ region: 'eu-west-1', credentials: provider })
    const ids = [await credentials(), await credentials()].map(({ accessKeyId }) => accessKeyId)
    expect(new Set(ids).size).to.equal(2)
  })

  it('finds everything in the environment if nothing is given', async () => {
    const variables = { AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }
    await withEnvironment(variables, async () => {
      const { settings, credentials } = await connectionOf(undefined)
      expect(settings).to.deep.equal(PLAIN)
      expect(await credentials()).to.deep.equal(CREDENTIALS)
    })
  })

  it('says what to do when no region or no credentials are known', async () => {
    await withEnvironment({}, async () => {
      const noRegion = (await rejectionOf(connectionOf({ credentials: CREDENTIALS }))) as Error
      expect(noRegion).to.include({ code: 'SERVICE', retryable: false })
      expect(noRegion.message).to.include('AWS_REGION')
      const { credentials } = await connectionOf({ region: 'eu-west-1' })
      expect(await rejectionOf(credentials())).to.include({ kind: 'access-denied', retryable: false })
    })
  })
})

describe('clientFor', () => {
  it('signs every call with the credentials as they are then', async () => {
    const { endpoint } = await sharedDynalite()
    let current: AwsCredentials = { ...CREDENTIALS, accessKeyId: 'first' }
    const client = clientFor({ ...PLAIN, endpoint }, () => current)
    const signed: string[] = []
    client.middlewareStack.add(
      next => args => {
        const { headers } = args.request as { headers: Record<string, string> }
        signed.push(`${headers.authorization?.match(/Credential=(\w+)\//)?.[1]} ${headers['x-amz-security-token']}`)
        return next(args)
      },
      { step: 'deserialize' }
    )
    await client.send(new ListTablesCommand({}))
    current = { ...CREDENTIALS, accessKeyId: 'second', sessionToken: 'token', expiresAtMs: 1_900_000_000_000 }
    await client.send(new ListTablesCommand({}))
    current = { ...CREDENTIALS, accessKeyId: 'third' }
    await client.send(new ListTablesCommand({}))
    client.destroy()
    expect(signed).to.deep.equal(['first undefined', 'second token', 'third undefined'])
  })

  it('is connected to what its settings say', async () => {
    const settings = { ...PLAIN, useFipsEndpoint: true }
    expect((await connectionOf(clientFor(settings, () => CREDENTIALS))).settings).to.deep.equal(settings)
  })
})
