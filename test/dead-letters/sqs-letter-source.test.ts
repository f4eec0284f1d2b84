import { expect } from 'chai'
import { encodeDeadLetter } from '../../src/dead-letters/letter-codec.ts'
import { readSqsDeadLetters, type SqsLettersOptions } from '../../src/dead-letters/sqs-letter-source.ts'
import { OptionError } from '../../src/model/errors.ts'
import { refusal } from '../kinesis/scripted-server.ts'
import { FakeSqs } from './fake-sqs.ts'
import { findAll, impatient, noAbort, rejection, someLetters } from './letters.ts'

describe('readSqsDeadLetters', () => {
  let sqs: FakeSqs
  const source = (options: Partial<SqsLettersOptions> = {}) =>
    readSqsDeadLetters({ queueUrl: sqs.queueUrl, client: sqs.client, ...options }, impatient())
  const fill = (count: number, groupId?: string): void => {
    for (const letter of someLetters(count)) sqs.add(encodeDeadLetter(letter), groupId === undefined ? {} : { groupId })
  }
  const numbers = (all: Awaited<ReturnType<typeof findAll>>) => all.map(({ letter }) => Number(letter?.sequenceNumber))

  beforeEach(async () => {
    sqs = new FakeSqs()
    await sqs.server.listen()
  })
  afterEach(() => sqs.server.close())

  it('finds all letters, and deletes each once it is done with', async () => {
    fill(25)
    const found = await findAll(source(), true)
    expect(numbers(found)).to.deep.equal(Array.from({ length: 25 }, (_, n) => n + 1))
    expect(sqs.messages).to.deep.equal([])
    expect(found[3]?.at).to.equal('message m4')
    expect(sqs.inputs[0]).to.include({ MaxNumberOfMessages: 10, WaitTimeSeconds: 5, VisibilityTimeout: 300 })
  })

  it('keeps what is kept, and makes it visible in the end', async () => {
    fill(12)
    let done = 0
    for await (const found of source().letters(noAbort())) {
      expect(sqs.messages.find(({ id }) => found.at === `message ${id}`)?.isVisible).to.equal(false)
      await found.settle(done++ % 2 === 0)
    }
    expect(sqs.messages.map(({ id, isVisible }) => [id, isVisible])).to.deep.equal(
      [2, 4, 6, 8, 10, 12].map(n => [`m${n}`, true])
    )
    expect(sqs.calls.at(-1)).to.equal('ChangeMessageVisibilityBatch 6')
  })

  it('gives back what it has received when it is left early', async () => {
    fill(5)
    for await (const { settle } of source().letters(noAbort())) {
      await settle(true)
      break
    }
    expect(sqs.messages.map(({ isVisible }) => isVisible)).to.deep.equal([true, true, true, true])
  })

  it('ends, and finds nothing twice, if what was kept is received again and again', async () => {
    fill(3)
    sqs.fault = call => {
      if (call === 'ReceiveMessage') sqs.lapse()
      return undefined
    }
    expect(numbers(await findAll(source(), false))).to.deep.equal([1, 2, 3])
  })

  it('deletes with the latest receipt, and once more what is received although it was deleted', async () => {
    fill(1)
    let receives = 0
    sqs.fault = call => {
      if (call === 'ReceiveMessage') {
        receives += 1
        if (receives <= 2) sqs.lapse()
      }
      // The first deletion is acknowledged, but nothing comes of it.
      return call === 'DeleteMessage' && receives === 1 ? { body: '{}' } : undefined
    }
    expect(await findAll(source(), true)).to.have.length(1)
    expect(sqs.messages).to.deep.equal([])
  })

  it('waits for the rest of a FIFO group until those before it are settled', async () => {
    fill(15, 'customer-7')
    const running: Promise<void>[] = []
    const found: number[] = []
    for await (const { letter, settle } of source().letters(noAbort())) {
      found.push(Number(letter?.sequenceNumber))
      running.push(new Promise<void>(resolve => setImmediate(resolve)).then(() => settle(true)))
    }
    await Promise.all(running)
    expect(found).to.deep.equal(Array.from({ length: 15 }, (_, n) => n + 1))
    expect(sqs.messages).to.deep.equal([])
  })

  it('says what is no letter, and keeps it', async () => {
    sqs.add('secret')
    const [found] = await findAll(source(), false)
    expect(found?.letter).to.equal(undefined)
    expect(found?.error?.message).to.match(/^message m1 is no dead letter: it is not JSON/)
    expect(found?.error?.message).not.to.contain('secret')
    expect(sqs.messages).to.have.length(1)
  })

  it('tries again what fails in a way that passes, and rejects with what does not', async () => {
    fill(1)
    const faults = [refusal(500, 'InternalFailure'), refusal(400, 'ThrottlingException')]
    sqs.fault = () => faults.shift()
    expect(await findAll(source(), true)).to.have.length(1)
    sqs.fault = () => refusal(400, 'QueueDoesNotExist', 'no such queue')
    expect((await rejection(findAll(source()))).message).to.match(
      /^ReceiveMessage to http:\S+: QueueDoesNotExist: no such/
    )
  })

  it('tells who settles a letter that it could not be deleted', async () => {
    fill(1)
    sqs.fault = call => (call === 'DeleteMessage' ? refusal(403, 'AccessDenied') : undefined)
    expect((await rejection(findAll(source(), true))).message).to.match(/^DeleteMessage to http:\S+: AccessDenied/)
  })

  it('ends when the signal aborts', async () => {
    fill(3)
    const controller = new AbortController()
    let found = 0
    for await (const { settle } of source().letters({ signal: controller.signal })) {
      found += 1
      await settle(true)
      controller.abort()
    }
    expect(found).to.equal(1)
    expect(sqs.messages.map(({ isVisible }) => isVisible)).to.deep.equal([true, true])
  })

  it('refuses bad options by name', () => {
    expect(() => source({ visibilityTimeoutMs: 1 })).to.throw(OptionError, /^Option visibilityTimeoutMs: is 1, /)
    expect(() => source({ waitMs: 60_000 })).to.throw(OptionError, /^Option waitMs: is 60000, /)
    expect(() => source({ queueUrl: 'x' })).to.throw(OptionError, /^Option queueUrl: /)
  })
})
