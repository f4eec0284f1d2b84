import { S3Client } from '@aws-sdk/client-s3'
import { expect } from 'chai'
import { parseDeadLetter } from '../../src/dead-letters/letter-codec.ts'
import { type S3DeadLettersOptions, s3DeadLetters } from '../../src/dead-letters/s3-dead-letters.ts'
import { objectKeyOf } from '../../src/dead-letters/s3-key-rules.ts'
import { OptionError, type ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { FakeS3, s3Refusal } from './fake-s3.ts'
import { aLetter, impatient, noAbort, plain, rejection, someLetters } from './letters.ts'

describe('s3DeadLetters', () => {
  let s3: FakeS3
  let ports: ReturnType<typeof impatient>
  const destination = (options: Partial<S3DeadLettersOptions> = {}) =>
    s3DeadLetters({ bucket: 'letters', client: s3.client, ...options }, ports)

  beforeEach(async () => {
    ports = impatient()
    s3 = new FakeS3()
    await s3.server.listen()
  })
  afterEach(() => s3.server.close())

  it('writes the letters of a call as one object of JSON Lines', async () => {
    const letters = someLetters(3)
    const bucket = destination({ prefix: 'dead' })
    await bucket.store(letters, noAbort())
    const [[key, object] = []] = [...s3.objects]
    expect(key).to.equal(objectKeyOf('dead', [aLetter({ sequenceNumber: '1' }), ...letters.slice(1)]))
    expect(object?.contentType).to.equal('application/x-ndjson')
    const lines = String(object?.body).trimEnd().split('\n')
    expect(plain(lines.map(line => parseDeadLetter(line)))).to.deep.equal(plain(letters))
    expect(bucket.name).to.equal('s3://letters/dead')
    await bucket.close?.()
  })

  it('overwrites what it stores again', async () => {
    await destination().store([aLetter()], noAbort())
    await destination().store([aLetter({ attempts: 20, givenUpAtMs: 9 })], noAbort())
    expect([...s3.objects.values()].map(({ body }) => parseDeadLetter(body).attempts)).to.deep.equal([20])
  })

  it('takes a letter of any size', async () => {
    const data = Buffer.alloc(10_485_760, 7)
    await destination().store([aLetter({ data })], noAbort())
    const [{ body } = { body: Buffer.alloc(0) }] = [...s3.objects.values()]
    expect(Buffer.compare(parseDeadLetter(body).data, data)).to.equal(0)
  })

  it('waits while it is throttled and while the service has faults, and rejects in the end', async () => {
    const faults = [s3Refusal(503, 'SlowDown'), s3Refusal(500, 'InternalError')]
    s3.fault = () => faults.shift()
    await destination().store([aLetter()], noAbort())
    expect(s3.calls).to.have.length(3)
    s3.fault = () => s3Refusal(503, 'SlowDown')
    expect(await rejection(destination().store([aLetter()], noAbort()))).to.be.instanceOf(ThrottledError)
    expect(s3.calls).to.have.length(3 + 5)
    expect(ports.delays).to.have.length(2 + 4)
  })

  it('does not try again what does not pass, and says what the service said', async () => {
    s3.fault = () => s3Refusal(403, 'AccessDenied')
    const error = (await rejection(destination().store([aLetter()], noAbort()))) as ServiceError
    expect(error.message).to.equal('PutObject to bucket letters: AccessDenied: words of the service')
    expect(error.kind).to.equal('access-denied')
    expect(s3.calls).to.have.length(1)
  })

  it('waits for a slow answer no longer than the limit', async () => {
    s3.fault = () => (s3.calls.length === 1 ? new Promise(() => {}) : undefined)
    const options = { bucket: 'letters', client: s3.client, requestTimeoutMs: 500 }
    await s3DeadLetters(options, { ...ports, clock: systemClock }).store([aLetter()], noAbort())
    expect(s3.objects.size).to.equal(1)
  })

  it('rejects with the reason of the signal', async () => {
    const controller = new AbortController()
    const reason = new Error('the lease is lost')
    s3.fault = () => {
      controller.abort(reason)
      return new Promise(() => {})
    }
    expect(await rejection(destination().store([aLetter()], { signal: controller.signal }))).to.equal(reason)
  })

  it('uses a client that was given, and leaves it open', async () => {
    const client = new S3Client(s3.client)
    const bucket = destination({ client })
    await bucket.close?.()
    await bucket.store([aLetter()], noAbort())
    expect(s3.objects.size).to.equal(1)
    client.destroy()
  })

  it('refuses bad options by name', () => {
    expect(() => destination({ bucket: '' })).to.throw(
      OptionError,
      'Option bucket: is "", expected the name of an S3 bucket'
    )
    expect(() => destination({ prefix: 5 as never })).to.throw(OptionError, 'Option prefix: is 5, expected a text')
    expect(() => destination({ Bucket: 'x' } as never)).to.throw(OptionError, /^Option Bucket: is not known/)
  })
})
