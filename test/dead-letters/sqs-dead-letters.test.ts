import { SQSClient } from '@aws-sdk/client-sqs'
import { expect } from 'chai'
import { parseDeadLetter } from '../../src/dead-letters/letter-codec.ts'
import { type SqsDeadLettersOptions, sqsDeadLetters } from '../../src/dead-letters/sqs-dead-letters.ts'
import { OptionError, type ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { refusal } from '../kinesis/scripted-server.ts'
import { FakeSqs } from './fake-sqs.ts'
import { aLetter, impatient, noAbort, plain, rejection, someLetters } from './letters.ts'

describe('sqsDeadLetters', () => {
  let sqs: FakeSqs
  let ports: ReturnType<typeof impatient>
  const destination = (options: Partial<SqsDeadLettersOptions> = {}) =>
    sqsDeadLetters({ queueUrl: sqs.queueUrl, client: sqs.client, ...options }, ports)
  const stored = () => plain(sqs.messages.map(({ body }) => parseDeadLetter(body)))

  beforeEach(async () => {
    ports = impatient()
    sqs = new FakeSqs()
    await sqs.server.listen()
  })
  afterEach(() => sqs.server.close())

  it('sends each letter as a message, ten in a call', async () => {
    const letters = someLetters(25)
    const queue = destination()
    await queue.store(letters, noAbort())
    expect(stored()).to.deep.equal(plain(letters))
    expect(sqs.calls).to.deep.equal(['SendMessageBatch 10', 'SendMessageBatch 10', 'SendMessageBatch 5'])
    expect(sqs.messages[0]).to.include({ groupId: undefined, deduplicationId: undefined })
    expect(queue.name).to.equal(`sqs ${sqs.queueUrl}`)
    await queue.close?.()
  })

  it('never sends more than 256 KiB together, and a larger message alone', async () => {
    const letters = [100_000, 60_000, 100_000, 500_000, 10].map((size, n) =>
      aLetter({ sequenceNumber: String(n), data: Buffer.alloc(size, n) })
    )
    await destination().store(letters, noAbort())
    expect(sqs.calls).to.deep.equal([
      'SendMessageBatch 2',
      'SendMessageBatch 1',
      'SendMessageBatch 1',
      'SendMessageBatch 1'
    ])
    expect(stored()).to.deep.equal(plain(letters))
  })

  it('sends only those again that the queue refused', async () => {
    const refused = new Map([
      ['3', 2],
      ['7', 1]
    ])
    sqs.refuse = body => {
      const { sequenceNumber } = parseDeadLetter(body)
      const left = refused.get(sequenceNumber) ?? 0
      refused.set(sequenceNumber, left - 1)
      return left > 0 ? { Code: 'InternalError', SenderFault: false } : undefined
    }
    await destination().store(someLetters(10), noAbort())
    expect(sqs.calls).to.deep.equal(['SendMessageBatch 10', 'SendMessageBatch 2', 'SendMessageBatch 1'])
    const numbers = stored().map(({ sequenceNumber }) => Number(sequenceNumber))
    expect(numbers.sort((a, b) => a - b)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  it('gives up on a message that is refused for what it is', async () => {
    sqs.refuse = body =>
      parseDeadLetter(body).sequenceNumber === '2' ? { Code: 'InvalidMessageContents', SenderFault: true } : undefined
    const error = (await rejection(destination().store(someLetters(3), noAbort()))) as ServiceError
    expect(error.message).to.equal(`SendMessageBatch to ${sqs.queueUrl}: InvalidMessageContents: words of the service`)
    expect([error.kind, error.retryable]).to.deep.equal(['invalid-argument', false])
    expect(sqs.calls).to.have.length(1)
  })

  it('waits while it is throttled and while the service has faults, and rejects in the end', async () => {
    const faults = [
      refusal(400, 'ThrottlingException'),
      refusal(500, 'InternalFailure'),
      refusal(503, 'ServiceUnavailable')
    ]
    sqs.fault = () => faults.shift()
    await destination().store(someLetters(1), noAbort())
    expect(sqs.calls).to.have.length(4)
    expect(ports.delays).to.have.length(3)

    sqs.fault = () => refusal(400, 'ThrottlingException')
    expect(await rejection(destination().store(someLetters(1), noAbort()))).to.be.instanceOf(ThrottledError)
    expect(sqs.calls).to.have.length(4 + 5)
  })

  it('does not try again what does not pass, and says what the service said', async () => {
    sqs.fault = () => refusal(403, 'AccessDeniedException', 'not allowed to do sqs:SendMessage')
    const error = (await rejection(destination().store(someLetters(1), noAbort()))) as ServiceError
    expect(error.kind).to.equal('access-denied')
    expect(error.message).to.contain('not allowed to do sqs:SendMessage')
    expect(sqs.calls).to.have.length(1)
  })

  it('counts a message as not sent that the answer does not mention', async () => {
    let first = true
    sqs.fault = () => {
      const isFirst = first
      first = false
      return isFirst ? { body: '{"Successful":[],"Failed":[]}' } : undefined
    }
    await destination().store(someLetters(2), noAbort())
    expect(sqs.calls).to.deep.equal(['SendMessageBatch 2', 'SendMessageBatch 2'])
  })

  it('waits for a slow answer no longer than the limit', async () => {
    let calls = 0
    sqs.fault = () => {
      calls += 1
      return calls === 1 ? new Promise(() => {}) : undefined
    }
    const inTime = { ...ports, clock: systemClock }
    const options = { queueUrl: sqs.queueUrl, client: sqs.client, requestTimeoutMs: 500 }
    await sqsDeadLetters(options, inTime).store(someLetters(1), noAbort())
    expect(stored()).to.have.length(1)
  })

  it('rejects with the reason of the signal, in the middle of a call', async () => {
    const controller = new AbortController()
    const reason = new Error('the lease is lost')
    sqs.fault = () => {
      controller.abort(reason)
      return new Promise(() => {})
    }
    expect(await rejection(destination().store(someLetters(1), { signal: controller.signal }))).to.equal(reason)
  })

  it('sends nothing if one of the letters is too large', async () => {
    const letters = [aLetter(), aLetter({ data: Buffer.alloc(2_000) })]
    const error = await rejection(destination({ maxMessageBytes: 1_024 }).store(letters, noAbort()))
    expect(error.message).to.contain('store dead letters in S3')
    expect(sqs.calls).to.deep.equal([])
  })

  it('uses a client that was given, and leaves it open', async () => {
    const client = new SQSClient(sqs.client)
    const queue = destination({ client })
    await queue.store(someLetters(1), noAbort())
    await queue.close?.()
    await queue.store(someLetters(1), noAbort())
    expect(sqs.messages).to.have.length(2)
    client.destroy()
  })

  it('keeps order per key in a FIFO queue, which drops what is stored again', async () => {
    const fifo = new FakeSqs('letters.fifo')
    await fifo.server.listen()
    const queue = sqsDeadLetters({ queueUrl: fifo.queueUrl, client: fifo.client }, ports)
    await queue.store(someLetters(3), noAbort())
    await queue.store(someLetters(3, { attempts: 11 }), noAbort())
    expect(fifo.messages.map(({ groupId }) => groupId)).to.deep.equal(Array(3).fill('customer-7'))
    await fifo.server.close()
  })

  it('refuses bad options by name', () => {
    for (const [options, problem] of [
      [
        { queueUrl: 'letters' },
        'Option queueUrl: is "letters", expected the URL of an SQS queue, such as https://sqs.…'
      ],
      [{ queueUrl: undefined }, 'Option queueUrl: is missing, expected the URL of an SQS queue'],
      [{ maxMessageBytes: 5 }, 'Option maxMessageBytes: is 5, expected a whole number from 1024 to 1048576'],
      [{ groupBy: 'key' }, "Option groupBy: is \"key\", expected 'partitionKey' or 'shard'"],
      [{ requestTimeoutMs: 0 }, 'Option requestTimeoutMs: is 0, expected a whole number from 100 to 300000'],
      [{ queue: 'x' }, /^Option queue: is not known; expected one of queueUrl, /]
    ] as [object, string | RegExp][]) {
      expect(() => destination(options)).to.throw(OptionError, problem)
    }
  })
})
