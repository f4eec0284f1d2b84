import { expect } from 'chai'
import {
  type DeadLetter,
  memoryLeaseStore,
  type RecordUndecodableError,
  silentLogger,
  Worker,
  type WorkerOptions
} from '../../src/index.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { OptionError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { decodeFunctionIn, receivedRefusal, ThreadDecoding } from '../../src/processor/thread-decoding.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'

const RECORDS = 15
// biome-ignore lint/suspicious/noThenProperty: that is the name of the option
const GIVING_UP = { attempts: 2, then: 'dead-letter' } as const

const aRecord = (text: string): ConsumedRecord =>
  new ConsumedRecord({ sequenceNumber: '1', partitionKey: 'key', data: new TextEncoder().encode(text) })

/** Has records processed in a thread whose module decodes them, until all of them but one were, or the shard is halted. */
async function processed(bytes: number, options: Partial<WorkerOptions> = {}, { from = 0, exits = false } = {}) {
  const kinesis = new FakeKinesis({ clock: systemClock })
  kinesis.createStream('orders', 1)
  for (let number = from; number < RECORDS; number++) kinesis.put('orders', 'key', String(number).padEnd(bytes))
  const data = { seen: new SharedArrayBuffer(4 * RECORDS), decoded: new SharedArrayBuffer(4 * RECORDS), exits }
  const told: string[] = []
  const worker = new Worker(
    {
      streamName: 'orders',
      applicationName: 'app',
      startAt: 'TRIM_HORIZON',
      retrieval: { idleMs: 200 },
      onProcessorError: { backoffMs: 1, attempts: 2 },
      threads: { module: new URL('../support/thread-decoding-module.mjs', import.meta.url), count: 1, data },
      logger: silentLogger,
      ...options
    } as WorkerOptions,
    { kinesis: kinesis.port('orders'), store: memoryLeaseStore({ tableName: 'app' }), control: memoryControlStore() }
  )
  const isOver = new Promise<void>(resolve => {
    worker.on('batch:processed', () => {
      if (new Int32Array(data.seen).filter(times => times > 0).length === RECORDS - from - 1) resolve()
    })
    worker.on('shard:halted', () => resolve())
  })
  worker.on('record:undecodable', ({ records, reason, action, error }) => {
    told.push(`${records} ${reason} ${action} ${error.message.split(': ')[1]}`)
  })
  await worker.start()
  await isOver
  await worker.stop()
  return { seen: [...new Int32Array(data.seen)], decoded: [...new Int32Array(data.decoded)], told }
}

describe('ThreadDecoding', () => {
  it('decodes where records are processed, once each, and has letters of those that cannot be', async () => {
    // Small ones are copied to the thread, the memory of large ones goes there.
    for (const bytes of [4, 60_000]) {
      const letters: DeadLetter[] = []
      const deadLetters = (given: readonly DeadLetter[]): void => {
        letters.push(...given.map(letter => ({ ...letter, data: Uint8Array.from(letter.data) })))
      }
      const { seen, decoded, told } = await processed(bytes, { deadLetters, onDecodeError: 'dead-letter' })
      expect(seen).to.deep.equal(seen.map((_, number) => (number === 13 ? 0 : 1)))
      expect(decoded).to.deep.equal(decoded.map(() => 1))
      expect(told).to.deep.equal(['1 decoder-failed dead-letter an unlucky number'])
      const [letter] = letters
      expect(letters).to.have.length(1)
      expect(Buffer.from(letter?.data ?? []).toString()).to.equal('13'.padEnd(bytes))
      expect(letter).to.include({ attempts: 0 })
      expect(letter?.error.message).to.match(/^Record \d+#0 could not be decoded: an unlucky number$/)
    }
  })

  it('halts at a record that cannot be decoded, where nothing is said, with what comes before it processed', async () => {
    const { seen, told } = await processed(4)
    expect(seen).to.deep.equal(seen.map((_, number) => (number < 13 ? 1 : 0)))
    expect(told).to.deep.equal(['1 decoder-failed fail an unlucky number'])
  })

  it('finds the record that ends the thread while it is decoded, and gives up that one alone', async () => {
    const letters: DeadLetter[] = []
    const deadLetters = (given: readonly DeadLetter[]): void => {
      letters.push(...given.map(letter => ({ ...letter, data: Uint8Array.from(letter.data) })))
    }
    const onProcessorError = { ...GIVING_UP, backoffMs: 1 }
    const { seen, told } = await processed(4, { deadLetters, onProcessorError }, { from: 12, exits: true })
    expect(seen.slice(12).map(times => Math.min(times, 1))).to.deep.equal([1, 0, 1])
    expect(letters.map(({ data, error }) => `${Buffer.from(data).toString().trim()} ${error.name}`)).to.deep.equal([
      '13 ProcessorGoneError'
    ])
    expect(told).to.deep.equal([])
  })

  it('says of each record why it cannot be decoded, as it can be sent', async () => {
    const decode = decodeFunctionIn({
      decode: { '~standard': { version: 1, validate: () => ({ issues: [{ message: 'no', path: ['a', 0] }] }) } }
    })
    const decoding = new ThreadDecoding(decode as NonNullable<typeof decode>, systemClock)
    const [sent] = structuredClone(await decoding.decode([aRecord('{}')]))
    const error = receivedRefusal(sent as NonNullable<typeof sent>) satisfies RecordUndecodableError
    expect(error).to.include({ reason: 'schema-mismatch', sequenceNumber: '1', code: 'RECORD_UNDECODABLE' })
    expect(error.message).to.equal('Record 1#0 could not be decoded: it does not fit the schema: 1 issue at a.0')
    expect(error.issues).to.deep.equal([{ message: 'no' }])
    expect(JSON.stringify(error)).to.not.include('"no"')
  })

  it('refuses a module whose decode is something else', () => {
    expect(decodeFunctionIn({})).to.equal(undefined)
    expect(() => decodeFunctionIn({ decode: 'json' })).to.throw(OptionError, /threads\.module: is "json"/)
  })
})
