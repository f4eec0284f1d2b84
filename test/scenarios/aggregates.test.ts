// Aggregated records of the Kinesis Producer Library: restarts inside of one, and payloads that only look like one.
import { createHash } from 'node:crypto'
import { expect } from 'chai'
import {
  aggregate,
  type Checkpointer,
  type ConsumedRecord,
  type ProcessRecordsInput,
  RecordProcessor
} from '../../src/index.ts'
import { hashKeyOf } from '../../src/kpl/hash-key.ts'
import { STREAM, World } from '../support/world.ts'

const utf8 = new TextEncoder()

/** Puts one Kinesis record with `count` user records, `prefix-0` and so on, all of one key. */
function putAggregate(world: World, count: number, prefix = 'u', keyOf = (_: number): string => 'key'): string {
  const records = Array.from({ length: count }, (_, i) => ({
    partitionKey: keyOf(i),
    data: utf8.encode(`${prefix}-${i}`)
  }))
  const { partitionKey, explicitHashKey, data } = aggregate(records)
  return world.kinesis.put(STREAM, partitionKey, data, { explicitHashKey }).sequenceNumber
}

const texts = (count: number, from = 0, prefix = 'u'): string[] =>
  Array.from({ length: count - from }, (_, i) => `${prefix}-${from + i}`)

/** An aggregate whose digest is right, with one user record whose key is the sixth of a table of one. */
function strayIndex(magic: Uint8Array): Uint8Array {
  const body = Uint8Array.of(0x0a, 1, 0x6b, 0x1a, 5, 0x08, 5, 0x1a, 1, 0x61)
  return Buffer.concat([magic, body, createHash('md5').update(body).digest()])
}

/** Keeps what it was given; `process` may checkpoint, fail or crash. */
function collecting(
  given: string[],
  process: (records: readonly ConsumedRecord[], checkpointer: Checkpointer) => void | Promise<void>
): () => RecordProcessor {
  return () =>
    new (class extends RecordProcessor {
      async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
        given.push(...records.map(record => record.text()))
        await process(records, checkpointer)
      }
      override async shutdownRequested(): Promise<void> {}
    })()
}

describe('aggregated records', () => {
  it('are delivered one by one, with a place each', async () => {
    const world = new World()
    const sequenceNumber = putAggregate(world, 50)
    const seen: ConsumedRecord[] = []
    await world.startWorker({
      processor: () =>
        new (class extends RecordProcessor {
          processRecords({ records }: ProcessRecordsInput): void {
            seen.push(...records)
          }
        })()
    })
    await world.clock.advance(5_000)
    expect(seen.map(record => record.text())).to.deep.equal(texts(50))
    expect(seen.map(record => record.subSequenceNumber)).to.deep.equal(Array.from({ length: 50 }, (_, i) => i))
    expect(seen.every(record => record.sequenceNumber === sequenceNumber && record.aggregated)).to.equal(true)
    await world.stopAll()
  })

  it('go on with exactly the rest after a crash inside of one', async () => {
    for (const done of [0, 1, 19, 20, 48, 49]) {
      const world = new World()
      putAggregate(world, 50)
      putAggregate(world, 5, 'next')
      const first: string[] = []
      const dying = world.makeWorker({
        processor: collecting(first, async (records, checkpointer) => {
          await checkpointer.checkpoint(records[done])
          dying.crash()
          await dying.pass()
        })
      })
      void dying.worker.start()
      await world.clock.advance(30_000)
      const second: string[] = []
      await world.startWorker({ processor: collecting(second, (_, checkpointer) => checkpointer.checkpoint()) })
      await world.clock.advance(30_000)
      expect(second, `after ${done + 1} of 50`).to.deep.equal([...texts(50, done + 1), ...texts(5, 0, 'next')])
      await world.stopAll()
    }
  })

  it('are delivered from the first that is left when the processor fails after a checkpoint inside of one', async () => {
    const world = new World()
    putAggregate(world, 10)
    const given: string[] = []
    await world.startWorker({
      onProcessorError: { backoffMs: 10 },
      processor: collecting(given, async (records, checkpointer) => {
        await checkpointer.checkpoint(records[3])
        if (given.length < 16) throw new Error('not yet')
      })
    })
    await world.clock.advance(5_000)
    expect(given).to.deep.equal([...texts(10), ...texts(10, 4)])
    expect((await world.store.list()).leases[0]?.checkpoint.subSequenceNumber).to.equal(7)
    await world.stopAll()
  })

  it('that are malformed are delivered as they came, and counted', async () => {
    const world = new World()
    const { data } = aggregate([0, 1].map(i => ({ partitionKey: 'key', data: utf8.encode(`u-${i}`) })))
    const badSum = data.slice()
    badSum.set([(badSum.at(-1) ?? 0) ^ 1], badSum.length - 1)
    const badBody = data.slice()
    badBody.set([0xff], 6)
    const damaged = [data.slice(0, 4), data.slice(0, 12), badSum, badBody, new Uint8Array(0), data.slice(0, -1)]
    const odd = [...damaged, strayIndex(data.slice(0, 4))]
    for (const bytes of odd) world.kinesis.put(STREAM, 'key', bytes)
    putAggregate(world, 2)
    const seen: Uint8Array[] = []
    const member = await world.startWorker({
      processor: () =>
        new (class extends RecordProcessor {
          processRecords({ records }: ProcessRecordsInput): void {
            seen.push(...records.map(record => record.data))
          }
        })()
    })
    await world.clock.advance(5_000)
    const raw = seen.slice(0, odd.length)
    expect(raw.map(bytes => [...bytes])).to.deep.equal(odd.map(bytes => [...bytes]))
    expect(seen.slice(odd.length).map(bytes => new TextDecoder().decode(bytes))).to.deep.equal(texts(2))
    expect(member.events('shard:odd-records').map(({ corrupt }) => corrupt)).to.deep.equal([1])
    await world.stopAll()
  })

  /** Of two shards, the first: every key here hashes into one of them. */
  function mixedKeys(): { keyOf: (i: number) => string; strangers: number } {
    const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`)
    const isLow = (key: string): boolean => hashKeyOf(key, undefined) < 2n ** 127n
    const first = keys.find(isLow) ?? ''
    const ordered = [first, ...keys.filter(key => key !== first)]
    return { keyOf: i => ordered[i] ?? '', strangers: keys.filter(key => !isLow(key)).length }
  }

  for (const [outOfRange, expected] of [
    ['deliver', 'all'],
    ['drop-record', 'own'],
    ['drop-aggregate', 'none']
  ] as const) {
    it(`with records of another shard: '${outOfRange}' delivers ${expected} of them and counts the strangers`, async () => {
      const world = new World({ shards: 2 })
      const { keyOf, strangers } = mixedKeys()
      putAggregate(world, 30, 'u', keyOf)
      putAggregate(world, 2, 'next', () => keyOf(0))
      const given: string[] = []
      const member = await world.startWorker({
        outOfRange,
        processor: collecting(given, (_, checkpointer) => checkpointer.checkpoint())
      })
      await world.clock.advance(5_000)
      const counts = { all: 30, own: 30 - strangers, none: 0 }
      expect(given).to.have.length(counts[expected] + 2)
      expect(given.slice(-2)).to.deep.equal(texts(2, 0, 'next'))
      const events = member.events('shard:odd-records')
      expect(events.map(event => event.outOfRange)).to.deep.equal([strangers])
      // What was dropped is behind the checkpoint: it does not come back.
      await world.stopAll()
      const again: string[] = []
      await world.startWorker({ outOfRange, processor: collecting(again, () => {}) })
      await world.clock.advance(5_000)
      expect(again).to.deep.equal([])
      await world.stopAll()
    })
  }
})
