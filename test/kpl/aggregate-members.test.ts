import { expect } from 'chai'
import { ColumnReader } from '../../src/kpl/aggregate-columns.ts'
import { MembersOfAggregate } from '../../src/kpl/aggregate-members.ts'

describe('MembersOfAggregate', () => {
  const tables: Readonly<Record<string, readonly string[]>> = {
    'ASCII keys of every length': Array.from({ length: 400 }, (_, i) =>
      String.fromCharCode(97 + (i % 26)).repeat(i % 128)
    ),
    'keys of more than 127 bytes': ['x'.repeat(128), 'y'.repeat(300), 'z', 'x'.repeat(20_000)],
    'keys that are not ASCII': ['grün', '😀'.repeat(40), '\ufeffbom', 'plain', 'é'.repeat(64)],
    'keys that are names of properties': ['__proto__', 'constructor', '0', '1', 'length', '']
  }
  for (const [what, keys] of Object.entries(tables)) {
    it(`gives ${what} by member`, () => {
      const payload = payloadOf(
        keys,
        keys.map((_, i) => i)
      )
      const members = membersOf(payload)
      expect(keys.map((_, i) => members.partitionKeyOf(i))).to.deep.equal(keys)
      expect(keys.map((_, i) => members.explicitHashKeyOf(i))).to.deep.equal(keys)
      expect(members.partitionKeyOf(0)).to.equal(members.partitionKeyOf(0))
    })
  }

  it('gives the keys that few members use out of a table of many', () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => `key ${i}`)
    const members = membersOf(payloadOf(keys, [9_999, 0, 5_000]))
    expect([0, 1, 2].map(i => members.partitionKeyOf(i))).to.deep.equal(['key 9999', 'key 0', 'key 5000'])
    expect([0, 1, 2].map(i => members.explicitHashKeyOf(i))).to.deep.equal(['key 9999', 'key 0', 'key 5000'])
  })

  it('gives data as views on the payload, wherever in a buffer it is', () => {
    const payload = payloadOf(['k'], [0, 0])
    const buffer = new Uint8Array(payload.length + 20)
    buffer.set(payload, 9)
    const members = membersOf(buffer.subarray(9, 9 + payload.length))
    expect([...members.dataOf(1)]).to.deep.equal([1, 0xdd])
    expect([members.dataOf(1).buffer === buffer.buffer, members.byteLengthOf(1)]).to.deep.equal([true, 2])
  })
})

function membersOf(payload: Uint8Array): MembersOfAggregate {
  const columns = new ColumnReader().read(payload)
  if (columns === undefined) throw new Error('the message does not parse')
  return new MembersOfAggregate(payload, columns)
}

/** Both tables with the same keys; records with these indices in both, and two bytes of data. */
function payloadOf(keys: readonly string[], indices: readonly number[]): Uint8Array {
  const fields = [0x0a, 0x12].flatMap(tag => keys.map(key => field(tag, Buffer.from(key))))
  const records = indices.map((index, i) =>
    field(0x1a, Buffer.from([8, ...varint(index), 16, ...varint(index), 0x1a, 2, i & 0xff, 0xdd]))
  )
  return Buffer.concat([new Uint8Array(4), ...fields, ...records, new Uint8Array(16)])
}

function field(tag: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.from([tag, ...varint(content.length)]), content])
}

function varint(value: number): number[] {
  return value > 0x7f ? [(value & 0x7f) | 0x80, ...varint(value >>> 7)] : [value]
}
