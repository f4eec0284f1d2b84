import { expect } from 'chai'
import { ColumnReader } from '../../src/kpl/aggregate-columns.ts'

const KEY = [0x0a, 1, 0x6b]
const EMPTY_KEY = [0x0a, 0]
const EMPTY_HASH_KEY = [0x12, 0]
/** The shortest record there is, and the shortest with an explicit hash key. */
const RECORD = [0x1a, 4, 8, 0, 0x1a, 0]
const HASH_KEY_RECORD = [0x1a, 6, 8, 0, 16, 0, 0x1a, 0]

describe('ColumnReader', () => {
  const hostile: Readonly<Record<string, readonly number[]>> = {
    'records of 6 bytes': RECORD,
    'records of 8 bytes with an explicit hash key': HASH_KEY_RECORD,
    'both kinds of records': [...RECORD, ...HASH_KEY_RECORD],
    'empty keys': EMPTY_KEY,
    'empty keys of both tables, mixed': [...EMPTY_HASH_KEY, ...EMPTY_KEY],
    'keys and records': [...RECORD, ...EMPTY_KEY, ...EMPTY_HASH_KEY]
  }
  for (const [what, part] of Object.entries(hostile)) {
    it(`takes no more than twice the bytes of a payload of ${what}`, () => {
      for (const times of [1, 100, 300_000]) {
        const payload = payloadOf([KEY, ...Array.from({ length: times }, () => part)])
        const columns = new ColumnReader().read(payload)
        expect(columns?.values.byteLength)
          .to.be.above(0)
          .and.at.most(2 * payload.length)
      }
    })
  }

  it('keeps no more than 256 KiB between payloads', () => {
    const reader = new ColumnReader()
    const large = payloadOf([KEY, ...Array.from({ length: 300_000 }, () => RECORD)])
    const before = process.memoryUsage().arrayBuffers
    const columns = reader.read(large)
    expect(columns?.count).to.equal(300_000)
    const taken = process.memoryUsage().arrayBuffers - before
    expect(taken).to.be.at.most(2 * large.length + 256 * 1024)
  })

  it('reads what does not fit into its room a second time, and next what does', () => {
    const reader = new ColumnReader()
    const count = 50_000
    const parts = Array.from({ length: count }, (_, i) => [
      ...(i % 3 === 0 ? HASH_KEY_RECORD : RECORD),
      0x12,
      1,
      0x31,
      ...KEY
    ])
    for (let round = 0; round < 2; round++) {
      const columns = reader.read(payloadOf(parts))
      expect([columns?.count, columns?.partitionKeys, columns?.explicitHashKeys]).to.deep.equal([count, count, count])
      expect([0, 1, 2, 3].map(member => columns?.explicitHashKeyOf(member))).to.deep.equal([0, -1, -1, 0])
      // Behind the magic: a record with an explicit hash key, an explicit hash key, a partition key, a record, …
      expect(columns?.keyAt(columns.partitionKeySlot(0))).to.equal(4 + 8 + 3 + 1)
      expect(columns?.keyAt(columns.explicitHashKeySlot(1))).to.equal(4 + 14 + 6 + 1)
      const small = reader.read(payloadOf([KEY, RECORD]))
      expect([small?.count, small?.partitionKeys, small?.values.length]).to.deep.equal([1, 1, 4])
    }
  })

  it('notes a number beside the offset of a key', () => {
    const columns = new ColumnReader().read(payloadOf([KEY, KEY]))
    const slot = columns?.partitionKeySlot(1) ?? 0
    expect([columns?.noteOf(slot), columns?.keyAt(slot)]).to.deep.equal([0, 8])
    columns?.note(slot, 7)
    columns?.note(slot, 4)
    expect([columns?.noteOf(slot), columns?.keyAt(slot)]).to.deep.equal([4, 8])
  })

  it('reads no message that is malformed, and the next one none the less', () => {
    const reader = new ColumnReader()
    expect(reader.read(payloadOf([KEY, RECORD, [0x1a, 100]]))).to.equal(undefined)
    expect(reader.read(payloadOf([KEY, RECORD]))?.count).to.equal(1)
  })
})

/** With room for magic and digest, which are not looked at. */
function payloadOf(parts: readonly (readonly number[])[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const payload = new Uint8Array(length + 20)
  let at = 4
  for (const part of parts) {
    payload.set(part, at)
    at += part.length
  }
  return payload
}
