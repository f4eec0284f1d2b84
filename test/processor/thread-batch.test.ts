import { expect } from 'chai'
import { ConsumedRecord, type KinesisRecord } from '../../src/model/record.ts'
import {
  ownBuffers,
  type PackedBatch,
  packBatch,
  placesIn,
  takenFrom,
  unpackBatch
} from '../../src/processor/thread-batch.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'

const LARGE = 200_000
const pause = async (): Promise<void> => {}

/** The batch as another thread gets it. */
function sent({ batch, transfer }: PackedBatch): ConsumedRecord[] {
  return unpackBatch(structuredClone(batch, { transfer: [...transfer] }))
}

function read(data: Uint8Array, sequenceNumber = '1'): KinesisRecord {
  return { sequenceNumber, partitionKey: 'key', data }
}

function aRecord(data: Uint8Array, sequenceNumber = '1', subSequenceNumber = 0): ConsumedRecord {
  return new ConsumedRecord({ ...read(data, sequenceNumber), subSequenceNumber, aggregated: false })
}

describe('ownBuffers', () => {
  const memory = new Uint8Array(LARGE)

  it('are those that are filled from end to end, also by turns', () => {
    const other = new Uint8Array(LARGE + 1)
    const records = [memory.subarray(0, 7), other, memory.subarray(7), new Uint8Array()].map(data => read(data))
    expect([...ownBuffers(records)]).to.deep.equal([memory.buffer, other.buffer])
  })

  it('are none with a gap, an overlap, an end that is open, or less than it takes', () => {
    for (const parts of [
      [memory.subarray(0, 7), memory.subarray(8)],
      [memory.subarray(0, 8), memory.subarray(7)],
      [memory.subarray(0, LARGE - 1)],
      [memory.subarray(1)],
      [new Uint8Array(1_000)],
      [new Uint8Array(new SharedArrayBuffer(LARGE))]
    ]) {
      expect(ownBuffers(parts.map(data => read(data))).size).to.equal(0)
    }
  })
})

describe('packBatch', () => {
  it('hands over what is own, and leaves everybody else what is not', async () => {
    const [own, shared] = [new Uint8Array(LARGE).fill(1), new Uint8Array(LARGE).fill(2)]
    const records = [aRecord(own), aRecord(shared.subarray(9, 12), '2'), aRecord(shared.subarray(12, 13), '3')]
    const packed = await packBatch(records, { own: new Set([own.buffer]), pause })
    expect(packed.transfer.map(({ byteLength }) => byteLength)).to.deep.equal([4, LARGE, 48])
    expect(sent(packed).map(({ data }) => data.length)).to.deep.equal([LARGE, 3, 1])
    expect([own.length, shared.length]).to.deep.equal([0, LARGE])
  })

  it('copies what lies close together at once, and nothing of what lies far apart', async () => {
    const memory = new Uint8Array(LARGE)
    const records = [0, 110, 100_000].map((from, index) => aRecord(memory.subarray(from, from + 100), String(index)))
    const { batch } = await packBatch(records, { own: new Set(), pause })
    expect(batch.buffers.map(({ byteLength }) => byteLength)).to.deep.equal([310])
  })

  it('lets the event loop run within a large batch', async () => {
    let pauses = 0
    const records = Array.from({ length: 40_000 }, (_, index) => aRecord(new Uint8Array(1), String(index)))
    const counted = async (): Promise<void> => {
      pauses += 1
    }
    const packed = await packBatch(records, { own: new Set(), pause: counted })
    expect([pauses, sent(packed).length]).to.deep.equal([4, 40_000])
  })

  it('refuses records that were transferred before', async () => {
    const data = new Uint8Array(LARGE)
    const records = [aRecord(data)]
    sent(await packBatch(records, { own: new Set([data.buffer]), pause }))
    const error = await packBatch(records, { own: new Set(), pause }).catch(thrown => thrown)
    expect(error).to.have.property('code', 'BUG')
  })

  for (const seed of seeds(40)) {
    it(`and unpackBatch give back what was put in SEED=${seed}`, async () => {
      const random = seededRandom(seed)
      const { records, own } = aRandomBatch(random)
      const before = JSON.stringify(records)
      expect(JSON.stringify(sent(await packBatch(records, { own, pause })))).to.equal(before)
    })
  }
})

describe('placesIn', () => {
  const batch = Array.from({ length: 9 }, (_, index) => aRecord(new Uint8Array(1), String(index)))
  const some = (...places: readonly number[]): ConsumedRecord[] => places.map(place => batch[place] as ConsumedRecord)

  it('are rows, of which takenFrom makes the records again', () => {
    for (const [places, rows] of [
      [[], []],
      [[0], [0, 1]],
      [
        [0, 1, 2, 3, 4, 5, 6, 7, 8],
        [0, 9]
      ],
      [
        [1, 2, 4, 7, 8],
        [1, 3, 4, 5, 7, 9]
      ]
    ] as const) {
      const found = placesIn(batch, some(...places))
      expect([...(found ?? [])]).to.deep.equal(rows)
      expect(takenFrom(batch, found)).to.deep.equal(some(...places))
    }
    expect(takenFrom(batch, undefined)).to.deep.equal(batch)
    expect(takenFrom(batch, undefined)).to.not.equal(batch)
  })

  it('are none where a record is missing, or not in order', () => {
    expect(placesIn(batch, [...some(1), aRecord(new Uint8Array(1), '2')])).to.equal(undefined)
    expect(placesIn(batch, some(2, 1))).to.equal(undefined)
  })
})

/** Records with and without everything, in memory that is shared, own, small or large. */
function aRandomBatch(random: Random): { records: ConsumedRecord[]; own: ReadonlySet<ArrayBufferLike> } {
  const below = (end: number): number => Math.floor(random.next() * end)
  const memories = Array.from({ length: 1 + below(4) }, () => new Uint8Array(1_000).map(() => below(256)))
  const own = new Set(memories.filter(() => random.next() < 0.5).map(({ buffer }) => buffer))
  const records = Array.from({ length: below(30) }, (_, index) => {
    const memory = memories[below(memories.length)] as Uint8Array
    const whole = memory.subarray(below(500), 500 + below(500))
    const aggregated = random.next() < 0.5
    const source = {
      sequenceNumber: String(index),
      partitionKey: `schlüssel-${below(9)}`,
      ...(random.next() < 0.5 && { arrivedAtMs: below(1e9) + 0.5 }),
      ...(random.next() < 0.5 && { encryptionType: 'KMS' })
    }
    // One record, or several that share a Kinesis record.
    return Array.from({ length: below(4) }, (_, sub) => {
      const at = below(whole.length)
      const data = whole.subarray(at, at + below(whole.length - at))
      const explicitHashKey = random.next() < 0.5 && { explicitHashKey: String(below(1e9)) }
      return new ConsumedRecord({ ...source, subSequenceNumber: sub, data, aggregated, ...explicitHashKey })
    })
  })
  return { records: records.flat(), own }
}
