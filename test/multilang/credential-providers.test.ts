import { expect } from 'chai'
import { credentialsProvider } from '../../src/multilang/credential-providers.ts'
import type { CredentialSource } from '../../src/multilang/credential-rules.ts'

const KEYS = { accessKeyId: 'id', secretAccessKey: 'key' }
const ENV = { AWS_ACCESS_KEY_ID: 'of-env', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' }
const missing = (): never => {
  throw Object.assign(new Error('Cannot find package'), { code: 'MODULE_NOT_FOUND' })
}

/** What a promise is rejected with. */
const failureOf = (promise: Promise<unknown> | undefined): Promise<unknown> =>
  (promise ?? Promise.resolve()).then(
    () => 'nothing failed',
    error => error
  )

/** The package, with providers that say what they were made with. */
function fakePackage(found: Readonly<Record<string, object | Error>> = {}) {
  const made: [string, unknown][] = []
  const maker = (name: string) => (options: unknown) => {
    made.push([name, options])
    return async () => {
      const credentials = found[name] ?? new Error(`${name} has none`)
      if (credentials instanceof Error) throw credentials
      return credentials
    }
  }
  const names = ['fromNodeProviderChain', 'fromIni', 'fromInstanceMetadata', 'fromContainerMetadata', 'fromHttp']
  const all = [...names, 'fromTokenFile', 'fromTemporaryCredentials']
  const load = () => Object.fromEntries(all.map(name => [name, maker(name)])) as never
  return { made, load }
}

describe('credentialsProvider', () => {
  it('leaves the default chain to the client', async () => {
    expect(credentialsProvider([{ kind: 'default' }], { env: {}, load: missing })).to.equal(undefined)
  })

  it('needs no package for keys and the environment', async () => {
    const fixed = credentialsProvider([{ kind: 'static', ...KEYS }], { env: {}, load: missing })
    expect(await fixed?.()).to.deep.equal(KEYS)
    const ofEnv = credentialsProvider([{ kind: 'environment' }], { env: ENV, load: missing })
    expect(await ofEnv?.()).to.deep.equal({ accessKeyId: 'of-env', secretAccessKey: 'secret', sessionToken: 'token' })
  })

  it('says which package is missing, and what to do', async () => {
    const error = await failureOf(
      (async () => credentialsProvider([{ kind: 'instance' }], { env: {}, load: missing }))()
    )
    expect(error).to.include({ code: 'SERVICE', kind: 'not-found' })
    expect(error)
      .to.have.property('message')
      .that.matches(/npm install @aws-sdk\/credential-providers, or name Default/)
  })

  it('asks one source after another, each time anew', async () => {
    const { load } = fakePackage({ fromInstanceMetadata: KEYS })
    const sources: CredentialSource[] = [{ kind: 'environment' }, { kind: 'profile' }, { kind: 'instance' }]
    const provider = credentialsProvider(sources, { env: {}, load })
    expect(await provider?.()).to.deep.equal(KEYS)
    expect(await provider?.()).to.deep.equal(KEYS)
  })

  it('says why no source has any', async () => {
    const { load } = fakePackage()
    const provider = credentialsProvider([{ kind: 'environment' }, { kind: 'profile' }], { env: {}, load })
    const error = await failureOf(provider?.())
    expect(error).to.include({ kind: 'access-denied' })
    expect(error)
      .to.have.property('message')
      .that.matches(/environment: AWS_ACCESS_KEY_ID and .*; profile: fromIni has none/)
  })

  const MADE: readonly (readonly [CredentialSource, string, unknown])[] = [
    [{ kind: 'profile', profile: 'prod' }, 'fromIni', { profile: 'prod' }],
    [{ kind: 'profile' }, 'fromIni', {}],
    [{ kind: 'container' }, 'fromContainerMetadata', undefined],
    [{ kind: 'container-or-instance' }, 'fromInstanceMetadata', undefined],
    [{ kind: 'web-identity' }, 'fromTokenFile', { clientConfig: { region: 'eu-west-1' } }],
    [
      { kind: 'assume-role', roleArn: 'arn', sessionName: 'me', externalId: 'x' },
      'fromTemporaryCredentials',
      { params: { RoleArn: 'arn', RoleSessionName: 'me', ExternalId: 'x' }, clientConfig: { region: 'eu-west-1' } }
    ],
    [
      { kind: 'assume-role', roleArn: 'arn', sessionName: 'me', region: 'us-east-1', endpoint: 'https://sts' },
      'fromTemporaryCredentials',
      {
        params: { RoleArn: 'arn', RoleSessionName: 'me' },
        clientConfig: { region: 'us-east-1', endpoint: 'https://sts' }
      }
    ]
  ]
  for (const [source, name, options] of MADE) {
    it(`makes ${name} of ${JSON.stringify(source)}`, async () => {
      const { made, load } = fakePackage({ [name]: KEYS })
      const provider = credentialsProvider([source], { env: {}, region: 'eu-west-1', load })
      expect(made).to.deep.equal([[name, options]])
      expect(await provider?.()).to.deep.equal(KEYS)
    })
  }

  it('asks the container that the environment names', async () => {
    const uri = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials' }
    const { made, load } = fakePackage()
    credentialsProvider([{ kind: 'container-or-instance' }], { env: uri, load })
    expect(made).to.deep.equal([['fromHttp', {}]])
  })

  it('finds the real package where it is installed', async () => {
    const provider = credentialsProvider([{ kind: 'environment' }, { kind: 'profile' }], { env: ENV })
    expect(await provider?.()).to.include({ accessKeyId: 'of-env' })
  })
})
