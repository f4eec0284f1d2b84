import { KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis'
import { Sha256 } from '@smithy/core/checksum'
import { HttpRequest } from '@smithy/core/protocols'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { SignatureV4 } from '@smithy/signature-v4'
import { expect } from 'chai'
import { type DirectAnswer, type DirectBody, DirectCalls } from '../../src/kinesis/sdk-direct-calls.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { refusal, ScriptedServer, type SeenRequest } from './scripted-server.ts'

const BODY: DirectBody = { contentType: 'application/x-amz-json-1.1', body: '{"ShardIterator":"ключ","Limit":1}' }
const NEVER = new AbortController().signal
const KEYS = { accessKeyId: 'AKID', secretAccessKey: 'secret' }

async function failureOf(call: Promise<unknown>): Promise<Error> {
  return call.then(
    () => expect.fail('did not fail'),
    (error: Error) => error
  )
}

async function send(calls: DirectCalls, signal = NEVER): Promise<DirectAnswer> {
  const prepared = await calls.prepared()
  if (prepared === undefined) return expect.fail('cannot be sent')
  return calls.send(prepared, BODY, { signal })
}

/** The signature that the request should have, made by the library from what arrived of what it says it signed. */
async function signatureOf(
  { method, path, headers, body }: SeenRequest,
  keys: object,
  region: string
): Promise<string> {
  const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? []
  const date = String(headers['x-amz-date']).replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5')
  const request = new HttpRequest({
    method,
    path,
    protocol: 'http:',
    hostname: '127.0.0.1',
    headers: Object.fromEntries(signed.map(name => [name, String(headers[name])])),
    body
  })
  const signer = new SignatureV4({ credentials: keys as typeof KEYS, region, service: 'kinesis', sha256: Sha256 })
  const again = await signer.sign(request, { signingDate: new Date(date) })
  return String(again.headers.authorization)
}

describe('DirectCalls', () => {
  let server: ScriptedServer
  const clients: KinesisClient[] = []

  beforeEach(async () => {
    server = new ScriptedServer()
    await server.listen()
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    await server.close()
  })

  function clientWith(config: KinesisClientConfig = {}): KinesisClient {
    const client = new KinesisClient({
      endpoint: server.endpoint,
      region: 'eu-west-3',
      credentials: KEYS,
      requestHandler: new NodeHttpHandler(),
      ...config
    })
    clients.push(client)
    return client
  }

  const callsOf = (client: KinesisClient, streamArn?: string): DirectCalls =>
    new DirectCalls(client, streamArn, systemClock)

  describe('signs', () => {
    for (const [title, credentials] of [
      ['with a key', KEYS],
      ['with a key of a session', { ...KEYS, sessionToken: 'a token' }]
    ] as const) {
      it(title, async () => {
        await send(callsOf(clientWith({ credentials })), NEVER)
        const [request] = server.requests
        if (request === undefined) return expect.fail('nothing came')
        expect(request.headers.authorization).to.include('Credential=AKID/')
        expect(request.headers.authorization).to.equal(await signatureOf(request, credentials, 'eu-west-3'))
        expect(request.headers['x-amz-security-token']).to.equal('sessionToken' in credentials ? 'a token' : undefined)
        expect(request.body.toString()).to.equal(BODY.body)
        expect(request.headers).to.include({
          'x-amz-target': 'Kinesis_20131202.GetRecords',
          'content-type': BODY.contentType
        })
        expect(request.headers['user-agent']).to.include('aws-sdk-js/')
      })
    }

    it('with the path of an endpoint that has one', async () => {
      await send(callsOf(clientWith({ endpoint: `${server.endpoint}/some/gateway` })), NEVER)
      const [request] = server.requests
      if (request === undefined) return expect.fail('nothing came')
      expect(request.path).to.equal('/some/gateway/')
      expect(request.headers.authorization).to.equal(await signatureOf(request, KEYS, 'eu-west-3'))
    })

    it('with new credentials once the old ones expire', async () => {
      let round = 0
      const credentials = async () => {
        round += 1
        return {
          ...KEYS,
          accessKeyId: `AKID${round}`,
          expiration: new Date(Date.now() + (round === 1 ? 1_000 : 3_600_000))
        }
      }
      const calls = callsOf(clientWith({ credentials }))
      for (let call = 0; call < 3; call++) await send(calls)
      const keys = server.requests.map(({ headers }) => /Credential=(\w+)/.exec(String(headers.authorization))?.[1])
      expect(keys.at(-1)).to.equal('AKID2')
    })

    it('with the time of the service, and again at once if that was the reason to refuse', async () => {
      const serviceMs = Date.now() + 3_600_000
      server.answer = ({ headers }) => {
        const date = { date: new Date(serviceMs).toUTCString() }
        const at = String(headers['x-amz-date']).replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5')
        const isOff = Math.abs(Date.parse(at) - serviceMs) > 300_000
        return isOff
          ? { ...refusal(400, 'InvalidSignatureException', 'Signature expired'), headers: date }
          : { headers: date }
      }
      const client = clientWith()
      const calls = callsOf(client)
      await send(calls)
      expect(server.requests).to.have.length(2)
      await send(calls)
      expect(server.requests).to.have.length(3)
      expect(client.config.systemClockOffset).to.be.closeTo(3_600_000, 10_000)
    })

    it('once only if the service refuses for another reason', async () => {
      server.answer = () => refusal(400, 'InvalidSignatureException')
      expect(await failureOf(send(callsOf(clientWith()), NEVER))).to.have.property('name', 'InvalidSignatureException')
      expect(server.requests).to.have.length(1)
    })
  })

  describe('goes where the SDK would', () => {
    const ARN = 'arn:aws:kinesis:eu-west-3:123456789012:stream/orders'
    const hostOf = async (config: KinesisClientConfig, arn?: string): Promise<string> => {
      const seen: string[] = []
      const requestHandler = {
        metadata: { handlerProtocol: 'http/1.1' },
        handle: async (request: { hostname: string }) => {
          seen.push(request.hostname)
          throw new Error('enough')
        },
        updateHttpClientConfig: () => {},
        httpHandlerConfigs: () => ({})
      } as unknown as NonNullable<KinesisClientConfig['requestHandler']>
      const client = new KinesisClient({ region: 'eu-west-3', credentials: KEYS, ...config, requestHandler })
      clients.push(client)
      await failureOf(send(callsOf(client, arn)))
      return seen.join()
    }

    it('by the region, FIPS, dual stack, and the account of the ARN', async () => {
      expect(await hostOf({})).to.equal('kinesis.eu-west-3.amazonaws.com')
      expect(await hostOf({ useFipsEndpoint: true, region: 'us-east-1' })).to.equal(
        'kinesis-fips.us-east-1.amazonaws.com'
      )
      expect(await hostOf({ useDualstackEndpoint: true })).to.equal('kinesis.eu-west-3.api.aws')
      expect(await hostOf({}, ARN)).to.equal('123456789012.data-kinesis.eu-west-3.amazonaws.com')
    })
  })

  describe('is possible', () => {
    it('with a client to which nothing was added', async () => {
      expect(await callsOf(clientWith()).prepared()).not.to.equal(undefined)
    })

    const ADDITIONS: readonly [title: string, add: (client: KinesisClient) => void][] = [
      [
        'middleware',
        client => client.middlewareStack.add(next => args => next(args), { step: 'build', name: 'tracing' })
      ],
      [
        'middleware without a name',
        client => client.middlewareStack.add(next => args => next(args), { step: 'initialize' })
      ],
      ['a send of its own', client => Object.assign(client, { send: async () => ({}) })]
    ]
    for (const [title, add] of ADDITIONS) {
      it(`not with ${title}`, async () => {
        const client = clientWith()
        add(client)
        expect(await callsOf(client).prepared()).to.equal(undefined)
        expect(server.requests).to.have.length(0)
      })
    }

    it('not with another way to authenticate', async () => {
      const token = {
        httpAuthSchemeProvider: () => [{ schemeId: 'smithy.api#noAuth' }],
        httpAuthSchemes: [
          {
            schemeId: 'smithy.api#noAuth',
            identityProvider: () => async () => ({}),
            signer: { sign: async (request: unknown) => request }
          }
        ]
      } as unknown as KinesisClientConfig
      expect(await callsOf(clientWith(token)).prepared()).to.equal(undefined)
    })

    it('not with what only looks like a client', async () => {
      expect(await callsOf({ send: async () => ({}) } as unknown as KinesisClient).prepared()).to.equal(undefined)
    })

    it('no longer a minute after middleware was added', async () => {
      const client = clientWith()
      const clock = new VirtualClock()
      const calls = new DirectCalls(client, undefined, clock)
      expect(await calls.prepared()).not.to.equal(undefined)
      client.middlewareStack.add(next => args => next(args), { step: 'build', name: 'tracing' })
      await clock.advance(60_000)
      expect(await calls.prepared()).to.equal(undefined)
    })

    it('again after credentials were missing', async () => {
      let isMissing = true
      const credentials = async () => {
        if (isMissing) throw Object.assign(new Error('none'), { name: 'CredentialsProviderError' })
        return KEYS
      }
      const calls = callsOf(clientWith({ credentials }))
      expect(await failureOf(calls.prepared())).to.have.property('name', 'CredentialsProviderError')
      isMissing = false
      expect(await calls.prepared()).not.to.equal(undefined)
    })
  })

  it('uses a request handler that the client was given', async () => {
    let handled = 0
    const inner = new NodeHttpHandler()
    const requestHandler = {
      metadata: inner.metadata,
      handle: (...args: Parameters<NodeHttpHandler['handle']>) => {
        handled += 1
        return inner.handle(...args)
      },
      updateHttpClientConfig: () => {},
      httpHandlerConfigs: () => ({})
    } as unknown as NonNullable<KinesisClientConfig['requestHandler']>
    await send(callsOf(clientWith({ requestHandler })), NEVER)
    expect(handled).to.equal(1)
    inner.destroy()
  })

  it('tells a fault by its name, and how the service put it', async () => {
    server.answer = () => refusal(400, 'com.amazonaws.kinesis#ExpiredIteratorException', 'Iterator expired.')
    expect(await failureOf(send(callsOf(clientWith()), NEVER))).to.include({
      name: 'ExpiredIteratorException',
      message: 'Iterator expired.'
    })
  })

  it('fails as a broken connection does if an answer breaks off', async () => {
    server.answer = () => ({ body: 'x'.repeat(100), breakOff: { after: 10, destroy: true } })
    expect(await failureOf(send(callsOf(clientWith()), NEVER))).to.have.property('code', 'ECONNRESET')
  })

  it('stops receiving when its signal aborts', async () => {
    server.answer = () => ({ body: 'x'.repeat(100), breakOff: { after: 10, destroy: false } })
    const stop = new AbortController()
    const failing = failureOf(send(callsOf(clientWith()), stop.signal))
    while (server.requests.length === 0) await new Promise(resolve => setImmediate(resolve))
    stop.abort(new Error('enough'))
    expect(await failing).to.be.instanceOf(Error)
  })
})
