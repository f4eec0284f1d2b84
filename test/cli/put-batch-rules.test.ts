import { expect } from 'chai'
import { aggregatedEntries, type PutEntry, plainEntries } from '../../src/cli/put-batch-rules.ts'
import { deaggregate } from '../../src/kpl/deaggregate.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import type { Shard } from '../../src/model/shard.ts'

const HALF = 2n ** 127n
const base = { startingSequenceNumber: '1' }
const SHARDS: readonly Shard[] = [
  { ...base, shardId: 'closed', hashKeyRange: FULL_HASH_KEY_RANGE, endingSequenceNumber: '2' },
  { ...base, shardId: 'low', hashKeyRange: { start: 0n, end: HALF - 1n } },
  { ...base, shardId: 'high', hashKeyRange: { start: HALF, end: FULL_HASH_KEY_RANGE.end } }
]

function unpack(entry: PutEntry) {
  return deaggregate([{ ...entry, sequenceNumber: '1' }]).records.map(({ partitionKey, data }) => [
    partitionKey,
    Buffer.from(data).toString()
  ])
}

const records = Array.from({ length: 50 }, (_, n) => ({ partitionKey: `key-${n}`, data: Buffer.from(`payload ${n}`) }))

describe('plainEntries', () => {
  it('are the records, with what they count', () => {
    const [entry] = plainEntries([{ partitionKey: 'ü', data: Buffer.from('abc') }])
    expect(entry).to.deep.equal({ partitionKey: 'ü', data: Buffer.from('abc'), bytes: 5, userRecords: 1 })
  })
})

describe('aggregatedEntries', () => {
  it('are one for each open shard that records go to, with every record in them, in order', () => {
    const entries = aggregatedEntries(records, SHARDS)
    expect(entries).to.have.lengthOf(2)
    expect(entries.map(({ userRecords }) => userRecords).reduce((a, b) => a + b)).to.equal(records.length)
    const unpacked = entries.flatMap(unpack)
    expect(unpacked).to.have.deep.members(records.map(({ partitionKey, data }) => [partitionKey, data.toString()]))
    for (const entry of entries) {
      const numbers = unpack(entry).map(([key = '']) => Number(key.slice(4)))
      expect(numbers).to.deep.equal([...numbers].sort((a, b) => a - b))
      const isLow = BigInt(entry.explicitHashKey ?? '') < HALF
      const odd = deaggregate([{ ...entry, sequenceNumber: '1' }], {
        hashKeyRange: SHARDS[isLow ? 1 : 2]?.hashKeyRange ?? FULL_HASH_KEY_RANGE
      })
      expect(odd.outOfRange).to.equal(0)
    }
  })

  it('are no larger than what the KPL makes', () => {
    const large = Array.from({ length: 10 }, () => ({ partitionKey: 'key', data: Buffer.alloc(20_000, 'x') }))
    const entries = aggregatedEntries(large, SHARDS)
    expect(entries.map(({ userRecords }) => userRecords)).to.deep.equal([2, 2, 2, 2, 2])
    const [whole] = aggregatedEntries([{ partitionKey: 'key', data: Buffer.alloc(100_000) }], SHARDS)
    expect(whole).to.include({ userRecords: 1, partitionKey: 'key' })
  })
})
