import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { fileDeadLetters } from '../../src/dead-letters/file-dead-letters.ts'
import { readFileDeadLetters } from '../../src/dead-letters/file-letter-source.ts'
import { encodeDeadLetter } from '../../src/dead-letters/letter-codec.ts'
import { type RedriveFailure, type RedriveOptions, redriveDeadLetters } from '../../src/dead-letters/redrive.ts'
import { s3DeadLetters } from '../../src/dead-letters/s3-dead-letters.ts'
import { readS3DeadLetters } from '../../src/dead-letters/s3-letter-source.ts'
import { readSqsDeadLetters } from '../../src/dead-letters/sqs-letter-source.ts'
import { OptionError, RecordUndecodableError, ThrottledError } from '../../src/model/errors.ts'
import type { ConsumedRecord } from '../../src/model/record.ts'
import type { DeadLetter } from '../../src/processor/dead-letter.ts'
import { refusal } from '../kinesis/scripted-server.ts'
import { FakePutRecords } from './fake-put-records.ts'
import { FakeS3 } from './fake-s3.ts'
import { FakeSqs } from './fake-sqs.ts'
import { aLetter, impatient, noAbort, plain, rejection, someLetters } from './letters.ts'

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('redriveDeadLetters', () => {
  const seen: number[] = []
  const failures: RedriveFailure[] = []
  beforeEach(() => {
    seen.length = 0
    failures.length = 0
  })

  const see = ({ sequenceNumber }: DeadLetter): void => void seen.push(Number(sequenceNumber))
  const redrive = (options: Partial<RedriveOptions>) =>
    redriveDeadLetters(
      { from: someLetters(5), to: see, onFailure: failure => failures.push(failure), ...options },
      impatient()
    )

  it('hands on every letter, one after the other', async () => {
    let running = 0
    const to = async (letter: DeadLetter): Promise<void> => {
      running += 1
      await nextTurn()
      expect(running).to.equal(1)
      see(letter)
      running -= 1
    }
    expect(await redrive({ to })).to.deep.equal({ read: 5, redriven: 5, skipped: 0, failed: 0 })
    expect(seen).to.deep.equal([1, 2, 3, 4, 5])
  })

  it('decodes letters before they are handed on, and keeps those that cannot be', async () => {
    const values: string[] = []
    const decode = async (record: ConsumedRecord): Promise<string> => {
      if (record.sequenceNumber === '2') throw new TypeError('no such version')
      if (record.sequenceNumber === '3') throw new ThrottledError('slowly')
      return `${record.partitionKey} ${record.byteLength}`
    }
    const report = await redriveDeadLetters({
      from: someLetters(4),
      decode,
      to: ({ value, partitionKey, data }) => {
        expect(value.toUpperCase()).to.equal(`${partitionKey} ${data.length}`.toUpperCase())
        values.push(value)
      },
      onFailure: failure => failures.push(failure)
    })
    expect(report).to.deep.equal({ read: 4, redriven: 2, skipped: 0, failed: 2 })
    expect(values).to.have.length(2)
    const [second, third] = failures
    expect(second?.error).to.be.instanceOf(RecordUndecodableError).and.include({ reason: 'decoder-failed' })
    expect(third?.error).to.be.instanceOf(ThrottledError)
  })

  it('decodes nothing for a stream', async () => {
    const decode = (): void => {}
    const error = await rejection(redrive({ decode, to: { streamName: 'orders' } }))
    expect(error).to.be.instanceOf(OptionError)
    expect((error as Error).message).to.match(/^Option decode: is given beside a stream/)
  })

  it('reports what fails, and goes on', async () => {
    const to = (letter: DeadLetter): void => {
      see(letter)
      if (letter.sequenceNumber === '2') throw new Error('still no such customer')
    }
    expect(await redrive({ to })).to.deep.equal({ read: 5, redriven: 4, skipped: 0, failed: 1 })
    expect(failures.map(({ at, letter, error }) => [at, letter?.sequenceNumber, String(error)])).to.deep.equal([
      ['letter 2', '2', 'Error: still no such customer']
    ])
    expect(seen).to.have.length(5)
  })

  it('handles as many at a time as it is told', async () => {
    let [running, most] = [0, 0]
    const to = async (letter: DeadLetter): Promise<void> => {
      running += 1
      most = Math.max(most, running)
      await nextTurn()
      see(letter)
      running -= 1
    }
    const report = await redrive({ from: someLetters(20), to, concurrency: 4 })
    expect(report.redriven).to.equal(20)
    expect(most).to.equal(4)
    expect(running).to.equal(0)
  })

  it('skips what the filter does not mean, and keeps what the filter fails with', async () => {
    const filter = async ({ sequenceNumber }: DeadLetter): Promise<boolean> => {
      if (sequenceNumber === '3') throw new Error('filter')
      return Number(sequenceNumber) % 2 === 1
    }
    expect(await redrive({ filter })).to.deep.equal({ read: 5, redriven: 2, skipped: 2, failed: 1 })
    expect(seen).to.deep.equal([1, 5])
  })

  it('ends after as many as it is told, those that are not meant not counted', async () => {
    const filter = ({ sequenceNumber }: DeadLetter): boolean => sequenceNumber !== '1'
    expect(await redrive({ filter, limit: 2 })).to.deep.equal({ read: 3, redriven: 2, skipped: 1, failed: 0 })
    expect(seen).to.deep.equal([2, 3])
  })

  it('hands on nothing in a dry run', async () => {
    expect(await redrive({ dryRun: true, limit: 4 })).to.deep.equal({ read: 4, redriven: 4, skipped: 0, failed: 0 })
    expect(seen).to.deep.equal([])
  })

  it('begins nothing more once the signal has aborted, and waits for what has begun', async () => {
    const controller = new AbortController()
    const to = async (letter: DeadLetter): Promise<void> => {
      if (letter.sequenceNumber === '2') controller.abort()
      await nextTurn()
      see(letter)
    }
    const report = await redrive({ to, signal: controller.signal, concurrency: 2 })
    expect(report).to.deep.equal({ read: 2, redriven: 2, skipped: 0, failed: 0 })
    expect(seen).to.deep.equal([1, 2])
  })

  it('waits for what has begun before it rejects because the source fails', async () => {
    async function* source(): AsyncGenerator<DeadLetter> {
      yield aLetter({ sequenceNumber: '1' })
      throw new Error('the source is gone')
    }
    const to = async (letter: DeadLetter): Promise<void> => {
      for (let turn = 0; turn < 5; turn++) await nextTurn()
      see(letter)
    }
    expect((await rejection(redrive({ from: source(), to, concurrency: 3 }))).message).to.equal('the source is gone')
    expect(seen).to.deep.equal([1])
  })

  it('rejects with what onFailure throws, and leaves nothing behind', async () => {
    const to = async (): Promise<void> => {
      await nextTurn()
      throw new Error('failed')
    }
    const onFailure = ({ at }: RedriveFailure): void => {
      throw new Error(`reported ${at}`)
    }
    expect((await rejection(redrive({ to, onFailure, concurrency: 3 }))).message).to.equal('reported letter 1')
  })

  it('refuses bad options by name', async () => {
    for (const [options, problem] of [
      [{ from: 5 }, 'Option from: is 5, expected a source such as readFileDeadLetters(path)'],
      [{ from: 'x.jsonl' }, 'Option from: is "x.jsonl", expected a source such as readFileDeadLetters(path)'],
      [{ signal: 'stop' }, 'Option signal: is "stop", expected an AbortSignal'],
      [{ from: undefined }, 'Option from: is missing, expected a source such as readFileDeadLetters(path)'],
      [
        { to: 'stream' },
        'Option to: is "stream", expected a function of a letter, or a stream by streamName or streamArn'
      ],
      [{ to: { streamName: '' } }, 'Option streamName: is "", expected the name of a stream'],
      [
        { to: { name: 'x' } },
        'Option name: is not known; expected one of streamName, streamArn, client, requestTimeoutMs'
      ],
      [{ concurrency: 0 }, 'Option concurrency: is 0, expected a whole number from 1 to 1000'],
      [{ limit: 0 }, 'Option limit: is 0, expected a whole number from 1 to Infinity'],
      [{ dryrun: true }, /^Option dryrun: is not known; expected one of from, to, filter/]
    ] as [object, string | RegExp][]) {
      const error = await rejection(redrive(options))
      expect(error).to.be.instanceOf(OptionError)
      if (typeof problem === 'string') expect(error.message).to.equal(problem)
      else expect(error.message).to.match(problem)
    }
  })

  describe('to a stream', () => {
    let kinesis: FakePutRecords
    beforeEach(async () => {
      kinesis = new FakePutRecords()
      await kinesis.server.listen()
    })
    afterEach(() => kinesis.server.close())
    const target = () => ({ streamName: 'orders', client: kinesis.client })

    it('puts back the records that they were', async () => {
      const from = [aLetter({ explicitHashKey: '5', data: Buffer.from([0, 255]) }), aLetter({ partitionKey: 'ü' })]
      expect((await redrive({ from, to: target() })).redriven).to.equal(2)
      expect(kinesis.records).to.deep.equal([
        { PartitionKey: 'customer-7', ExplicitHashKey: '5', data: Buffer.from([0, 255]) },
        { PartitionKey: 'ü', data: Buffer.from('payload') }
      ])
      expect(kinesis.calls).to.deep.equal([1, 1])
    })

    it('puts together what is handled together', async () => {
      expect((await redrive({ from: someLetters(600), to: target(), concurrency: 200 })).redriven).to.equal(600)
      expect(kinesis.records).to.have.length(600)
      expect(kinesis.calls.length).to.be.lessThan(20)
    })

    it('puts those again that were refused, and keeps what does not pass', async () => {
      const refused = new Set(['2', '4'])
      kinesis.refuse = data => (refused.delete(String(data)) ? 'ProvisionedThroughputExceededException' : undefined)
      const from = [1, 2, 3, 4, 5].map(n => aLetter({ data: Buffer.from(String(n)) }))
      expect((await redrive({ from, to: target(), concurrency: 5 })).redriven).to.equal(5)
      expect(kinesis.records.map(({ data }) => String(data)).sort()).to.deep.equal(['1', '2', '3', '4', '5'])
    })

    it('keeps the one record for which a call is refused, and puts the others', async () => {
      kinesis.fault = records =>
        records.some(({ data }) => String(data) === '3') ? refusal(400, 'ValidationException') : undefined
      const from = [1, 2, 3, 4, 5].map(n => aLetter({ sequenceNumber: String(n), data: Buffer.from(String(n)) }))
      expect(await redrive({ from, to: target(), concurrency: 5 })).to.include({ redriven: 4, failed: 1 })
      expect(failures.map(({ letter }) => letter?.sequenceNumber)).to.deep.equal(['3'])
      expect(kinesis.records.map(({ data }) => String(data))).to.deep.equal(['1', '2', '4', '5'])
    })
  })

  it('takes letters out of a file, and says which lines are none', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-letters-'))
    const path = join(folder, 'letters.jsonl')
    await fileDeadLetters({ path }).store(someLetters(3), noAbort())
    appendFileSync(path, '{"torn')
    const letters: DeadLetter[] = []
    const to = (letter: DeadLetter): void => void letters.push(letter)
    expect(await redrive({ from: readFileDeadLetters(path), to })).to.deep.equal({
      ...{ read: 4, redriven: 3, skipped: 0, failed: 1 }
    })
    expect(plain(letters)).to.deep.equal(plain(someLetters(3)))
    expect(failures.map(({ at, letter }) => [at, letter])).to.deep.equal([[`line 4 of ${path}`, undefined]])
    rmSync(folder, { recursive: true })
  })

  it('takes letters out of a queue, and leaves those there that fail, are skipped, or could not be deleted', async () => {
    const sqs = new FakeSqs()
    await sqs.server.listen()
    for (const letter of someLetters(30)) sqs.add(encodeDeadLetter(letter))
    sqs.fault = call => (call === 'DeleteMessage' && sqs.calls.length === 2 ? refusal(403, 'AccessDenied') : undefined)
    const to = (letter: DeadLetter): void => {
      if (letter.sequenceNumber === '7') throw new Error('still')
      see(letter)
    }
    const filter = ({ sequenceNumber }: DeadLetter): boolean => sequenceNumber !== '9'
    const from = readSqsDeadLetters({ queueUrl: sqs.queueUrl, client: sqs.client }, impatient())
    expect(await redrive({ from, to, filter, concurrency: 8 })).to.deep.equal({
      ...{ read: 30, redriven: 27, skipped: 1, failed: 2 }
    })
    expect(sqs.messages).to.have.length(3)
    // The one that was done with is not to be received soon.
    expect(sqs.messages.filter(({ isVisible }) => isVisible).map(({ id }) => id)).to.deep.equal(['m7', 'm9'])
    expect(failures.map(({ error }) => String(error).replace(/ to http\S+(?=:)/, ''))).to.have.members([
      'Error: still',
      'ServiceError: DeleteMessage: AccessDenied: words of the service'
    ])
    await sqs.server.close()
  })

  it('takes nothing out of a queue in a dry run', async () => {
    const sqs = new FakeSqs()
    await sqs.server.listen()
    for (const letter of someLetters(12)) sqs.add(encodeDeadLetter(letter))
    const from = readSqsDeadLetters({ queueUrl: sqs.queueUrl, client: sqs.client }, impatient())
    expect((await redrive({ from, dryRun: true })).redriven).to.equal(12)
    expect(sqs.messages.filter(({ isVisible }) => isVisible)).to.have.length(12)
    await sqs.server.close()
  })

  it('takes letters out of a bucket, and objects with them that are done with', async () => {
    const s3 = new FakeS3()
    await s3.server.listen()
    const bucket = s3DeadLetters({ bucket: 'letters', client: s3.client }, impatient())
    for (const first of [10, 20, 30]) await bucket.store(someLetters(3, {}, first), noAbort())
    const to = (letter: DeadLetter): void => {
      see(letter)
      if (letter.sequenceNumber === '21') throw new Error('still')
    }
    const from = readS3DeadLetters({ bucket: 'letters', client: s3.client, deleteWhenDone: true }, impatient())
    expect(await redrive({ from, to, concurrency: 2 })).to.include({ read: 9, redriven: 8, failed: 1 })
    expect(seen).to.deep.equal([10, 11, 12, 20, 21, 22, 30, 31, 32])
    expect(s3.objects.size).to.equal(1)
    await s3.server.close()
  })
})
