// The scenarios R15 to R17 of the reference on KCL's behaviour, by name: what of an answer is delivered. Taking aggregates apart is
// tested byte by byte in test/kpl; here it is seen from the processor.
import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { aggregate, type ConsumedRecord } from '../../src/index.ts'
import { sdkKinesis } from '../../src/kinesis/sdk-kinesis.ts'
import { hashKeyOf } from '../../src/kpl/hash-key.ts'
import { isClosed } from '../../src/model/shard.ts'
import { shardId } from '../support/builders.ts'
import { CallLog } from '../support/call-log.ts'
import { deliveredIds, expectOnce, putAggregate, putIntoAll } from '../support/numbered-records.ts'
import { StubKinesisClient } from '../support/stub-kinesis-client.ts'
import { throughPort } from '../support/tampered-kinesis.ts'
import { STREAM, World } from '../support/world.ts'

const SHARD = shardId(0)
const MAGIC = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)
const HALF = 2n ** 127n
const utf8 = new TextEncoder()

/** An aggregate of that message, whose digest is right. */
function signed(...message: readonly number[]): Uint8Array {
  const body = Uint8Array.from(message)
  return Buffer.concat([MAGIC, body, createHash('md5').update(body).digest()])
}

/** What `aggregate` makes of some payloads, all of key `key` unless told otherwise. */
function bytesOf(texts: readonly string[], keyOf = (_: number): string => 'key'): Uint8Array {
  return aggregate(texts.map((text, i) => ({ partitionKey: keyOf(i), data: utf8.encode(text) }))).data
}

function changed(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice()
  copy.set([(copy.at(at) ?? 0) ^ 1], at < 0 ? copy.length + at : at)
  return copy
}

/** A key of the lower half of the hash keys, and one of the upper. */
const [LOW_KEY, HIGH_KEY] = [true, false].map(
  isLow =>
    Array.from({ length: 50 }, (_, i) => `key-${i}`).find(key => hashKeyOf(key, undefined) < HALF === isLow) ?? ''
) as [string, string]

/** Everything that a lone worker delivers of a stream of `shards` shards, into which `put` has put something, within ten seconds. */
async function delivered(
  put: (world: World) => void,
  { shards = 1, ...options }: { shards?: number; outOfRange?: 'deliver' | 'drop-record' | 'drop-aggregate' } = {}
): Promise<{ records: ConsumedRecord[]; odd: { outOfRange: number; corrupt: number }[]; world: World }> {
  const world = new World({ shards })
  put(world)
  const records: ConsumedRecord[] = []
  const member = await world.startWorker({ handler: batch => void records.push(...batch), ...options })
  await world.clock.advance(10_000)
  expect(member.events('processor:failed')).to.deep.equal([])
  expect(member.worker.state).to.equal('running')
  const odd = member.events('shard:odd-records').map(({ outOfRange, corrupt }) => ({ outOfRange, corrupt }))
  await world.stopAll()
  return { records, odd, world }
}

describe('what is read', () => {
  const whole = bytesOf(['a', 'b', 'c'])
  // One record, whose key is the sixth of a table of one.
  const strayKey = signed(0x0a, 1, 0x6b, 0x1a, 5, 0x08, 5, 0x1a, 1, 0x61)
  const damaged: [how: string, bytes: Uint8Array, corrupt: number][] = [
    ['a digest that is wrong', changed(whole, -1), 0],
    ['a message that is wrong', changed(whole, 6), 0],
    ['an end that is missing', whole.slice(0, -1), 0],
    ['an index outside of its table', strayKey, 1],
    ['a message that breaks off, with the right digest', signed(0x0a, 9, 0x6b), 0],
    ...[4, 5, 10, 16, 19, 20].map((size): [string, Uint8Array, number] => [
      `the magic bytes and ${size} bytes in all`,
      Uint8Array.from({ length: size }, (_, i) => MAGIC[i] ?? i),
      0
    ]),
    ['no byte at all', new Uint8Array(0), 0]
  ]
  for (const [how, bytes, corrupt] of damaged) {
    it(`R15: is delivered as it came if it looks like an aggregate and has ${how}`, async () => {
      const { records, odd } = await delivered(world => {
        world.kinesis.put(STREAM, 'before', 'before')
        world.kinesis.put(STREAM, 'odd', bytes)
        world.kinesis.put(STREAM, 'after', whole)
      })
      expect(records.map(({ partitionKey }) => partitionKey)).to.deep.equal(['before', 'odd', 'key', 'key', 'key'])
      const [, raw] = records
      expect(raw).to.include({ aggregated: false, subSequenceNumber: 0 })
      expect([...(raw?.data ?? [])]).to.deep.equal([...bytes])
      expect(odd).to.deep.equal(corrupt > 0 ? [{ outOfRange: 0, corrupt }] : [])
    })
  }

  it('R15: brings nothing of an aggregate without records, and goes on behind it', async () => {
    const { records, world } = await delivered(world => {
      world.kinesis.put(STREAM, 'empty', signed(0x0a, 1, 0x6b))
      world.kinesis.put(STREAM, 'after', 'after')
      world.kinesis.put(STREAM, 'empty', signed(0x0a, 1, 0x6b))
    })
    expect(records.map(record => record.text())).to.deep.equal(['after'])
    const [row] = (await world.store.list()).leases
    expect(row?.checkpoint.sequenceNumber).to.equal(world.kinesis.records(STREAM, SHARD)[2]?.sequenceNumber)
  })

  it('R15: keeps partition keys of any script, and numbers the records of an aggregate from 0', async () => {
    const keys = ['ключ', '鍵', '🔑🔑', 'é', 'e\u0301', ' ', 'k'.repeat(256)]
    const { records } = await delivered(world => {
      world.kinesis.put(
        STREAM,
        'a',
        bytesOf(
          keys.map((_, i) => `${i}`),
          i => keys[i] ?? ''
        )
      )
    })
    expect(records.map(({ partitionKey, subSequenceNumber }) => [partitionKey, subSequenceNumber])).to.deep.equal(
      keys.map((key, i) => [key, i])
    )
  })

  // Java's way is 'drop-aggregate', and the default here is 'deliver': nothing is lost, and what was sent again comes twice.
  for (const [place, keys] of [
    ['the first', [HIGH_KEY, LOW_KEY, LOW_KEY]],
    ['one in the middle', [LOW_KEY, HIGH_KEY, LOW_KEY]],
    ['the last', [LOW_KEY, LOW_KEY, HIGH_KEY]]
  ] as const) {
    for (const [outOfRange, count] of [
      ['deliver', 3],
      ['drop-record', 2],
      ['drop-aggregate', 0]
    ] as const) {
      it(`R15: brings ${count} of 3 with '${outOfRange}' if ${place} of an aggregate is of another shard`, async () => {
        const put = (world: World): void => {
          world.kinesis.put(
            STREAM,
            'a',
            bytesOf(['0', '1', '2'], i => keys[i] ?? ''),
            { explicitHashKey: 0n }
          )
          world.kinesis.put(STREAM, HIGH_KEY, 'plain records are never out of range', { explicitHashKey: 1n })
        }
        const { records, odd } = await delivered(put, { shards: 2, outOfRange })
        const texts = ['0', '1', '2'].filter((_, i) => count === 3 || (count === 2 && keys[i] === LOW_KEY))
        expect(records.map(record => record.text())).to.deep.equal([...texts, 'plain records are never out of range'])
        expect(odd).to.deep.equal([{ outOfRange: 1, corrupt: 0 }])
      })
    }
  }

  it("R15: brings all of an aggregate that spans a split by default, and with 'drop-aggregate' none of it, as Java does", async () => {
    for (const outOfRange of ['deliver', 'drop-aggregate'] as const) {
      const world = new World()
      const put = (): number[] => putAggregate(world, 4, i => (i % 2 === 0 ? LOW_KEY : HIGH_KEY)).ids
      const before = put()
      world.kinesis.split(STREAM, SHARD)
      const after = put()
      await world.startWorker({ outOfRange })
      await world.clock.advance(20_000)
      // Before the split it was all the parent's. After it, half of it is the sibling's of the shard that it went to.
      expect(deliveredIds(world)).to.deep.equal(outOfRange === 'deliver' ? [...before, ...after] : before)
      await world.stopAll()
    }
  })

  it('R16: brings nothing that the checkpoint covers, calls nothing for it, and leaves the checkpoint where it is', async () => {
    for (const place of [2, 4]) {
      const world = new World()
      const log = new CallLog(world)
      putAggregate(world, 3)
      const { sequenceNumber } = putAggregate(world, 5)
      const first = await log.startWorker({
        processRecords: async ({ records, checkpointer }) => {
          await checkpointer.checkpoint(records[3 + place])
          first.crash()
        }
      })
      await world.clock.advance(5_000)
      const reads: number[] = []
      const second = log.makeWorker({}, { retrieval: { maxRecords: 1 } })
      second.worker.on('shard:read', ({ records }) => void reads.push(records))
      await world.await(second.worker.start())
      await world.clock.advance(30_000)
      expect(reads[0], 'the record of the checkpoint is read again').to.equal(1)
      const rest = place === 4 ? [] : [6, 7]
      expect(deliveredIds(world, { worker: second.name })).to.deep.equal(rest)
      const row = await world.store.get(SHARD)
      expect(row?.checkpoint).to.deep.equal({ sequenceNumber, subSequenceNumber: 4 })
      const lines = log.lines({ worker: second.name, method: 'processRecords' })
      expect(lines).to.deep.equal(rest.length > 0 ? ['processRecords 6 7'] : [])
      const next = world.put('key')
      await world.clock.advance(5_000)
      expect(deliveredIds(world, { worker: second.name })).to.deep.equal([...rest, next])
      await world.stopAll()
    }
  })

  it('R17: is not behind where the last answer of a shard does not say how far it is', async () => {
    const world = new World()
    const silent: unknown[] = []
    throughPort(world, port => {
      const client = new StubKinesisClient(port)
      const send = client.send.bind(client)
      client.send = async command => {
        const answer = await send(command)
        if ('Records' in answer && answer.MillisBehindLatest === undefined) silent.push(answer)
        return answer
      }
      return sdkKinesis({ stream: { streamName: STREAM }, client: client.asClient, clock: world.clock })
    })
    const log = new CallLog(world)
    const behind: number[] = []
    putIntoAll(world, 3)
    world.kinesis.split(STREAM, SHARD)
    putIntoAll(world, 3)
    await world.clock.advance(10_000)
    const member = log.makeWorker({
      processRecords: ({ millisBehindLatest, checkpointer }) => {
        behind.push(millisBehindLatest)
        return checkpointer.checkpoint()
      }
    })
    const read: number[] = []
    member.worker.on('shard:read', ({ millisBehindLatest }) => void read.push(millisBehindLatest))
    await world.await(member.worker.start())
    await world.untilDelivered()
    await world.clock.advance(5_000)
    expect(silent).to.have.length(world.kinesis.shards(STREAM).filter(isClosed).length)
    expect([...behind, ...read].every(Number.isFinite), `${behind} and ${read}`).to.equal(true)
    expect(behind[0], 'of the last answer').to.equal(0)
    expect(log.lines({ method: 'shardEnded' })).to.deep.equal(['shardEnded'])
    expectOnce(world)
    await world.stopAll()
  })
})
