import { expect } from 'chai'
import { MAX_HASH_KEY } from '../../src/model/hash-key-range.ts'
import {
  ancestorsOf,
  isCutByKeys,
  judgeListing,
  listedChildIds,
  listedParentIds,
  relativesOf,
  shardGraph
} from '../../src/shards/shard-graph.ts'
import { aShard, shardId } from '../support/builders.ts'
import { aStream, listing, numberOf, workedExample } from '../support/shard-trees.ts'

const numbers = (ids: Iterable<string>): number[] => [...ids].map(numberOf)

describe('shardGraph', () => {
  const graph = shardGraph(listing(workedExample()).reverse())

  it('orders shards from the oldest to the youngest', () => {
    expect(numbers(graph.shards.map(shard => shard.shardId))).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  it('finds the children of a split and of a merge', () => {
    expect(numbers(listedChildIds(graph, shardId(5)))).to.deep.equal([9, 10])
    expect(numbers(listedChildIds(graph, shardId(0)))).to.deep.equal([6])
    expect(listedChildIds(graph, shardId(4))).to.deep.equal([])
  })

  it('finds both parents of a merged shard', () => {
    expect(numbers(listedParentIds(graph, shardId(8)))).to.deep.equal([6, 7])
  })

  it('leaves out parents that have expired, but still knows their children', () => {
    const stream = workedExample()
    stream.expireShard(shardId(5))
    const trimmed = shardGraph(listing(stream))
    expect(listedParentIds(trimmed, shardId(9))).to.deep.equal([])
    expect(numbers(listedChildIds(trimmed, shardId(5)))).to.deep.equal([9, 10])
  })

  it('finds every ancestor of a shard', () => {
    expect(numbers(ancestorsOf(graph, [shardId(8)])).sort()).to.deep.equal([0, 1, 2, 3, 6, 7])
  })

  it('names the relatives that a decision about a shard rests on', () => {
    expect(numbers(relativesOf(graph, shardId(6))).sort()).to.deep.equal([0, 1, 6, 7, 8])
    expect(numbers(relativesOf(graph, shardId(9))).sort((a, b) => a - b)).to.deep.equal([5, 9, 10])
  })
})

describe('judgeListing', () => {
  const half = MAX_HASH_KEY / 2n
  const low = aShard({ shardId: shardId(1), parentShardId: shardId(0), hashKeyRange: { start: 0n, end: half } })
  const high = aShard({
    shardId: shardId(2),
    parentShardId: shardId(0),
    hashKeyRange: { start: half + 1n, end: MAX_HASH_KEY }
  })
  const closed = aShard({ endingSequenceNumber: '5' })
  const because = (...shards: Parameters<typeof judgeListing>[0]): string => {
    const verdict = judgeListing(shards)
    return verdict.kind === 'inconsistent' ? verdict.because : 'consistent'
  }

  it('accepts open shards that cover every hash key once, whatever is closed', () => {
    expect(because(closed, high, low)).to.equal('consistent')
    expect(because(...listing(workedExample()))).to.equal('consistent')
    expect(because(...listing(aStream(7)))).to.equal('consistent')
  })

  it('refuses a child that is open beside its open parent, and names both', () => {
    expect(because(aShard(), low, high))
      .to.include(shardId(0))
      .and.to.include(shardId(1))
  })

  it('refuses an overlap between shards that are not neighbours', () => {
    const inner = aShard({ shardId: shardId(3), hashKeyRange: { start: 5n, end: 6n } })
    const late = aShard({ shardId: shardId(4), hashKeyRange: { start: 7n, end: 8n } })
    expect(because(low, inner, high))
      .to.include(shardId(1))
      .and.to.include(shardId(3))
    expect(because(low, late, high))
      .to.include(shardId(1))
      .and.to.include(shardId(4))
  })

  it('refuses a listing without one of the children, and names the hash keys', () => {
    expect(because(closed, low)).to.include(`${half + 1n}..${MAX_HASH_KEY}`)
  })

  it('refuses holes of a single hash key at both ends and in the middle', () => {
    expect(because(aShard({ hashKeyRange: { start: 1n, end: MAX_HASH_KEY } }))).to.include('0..0')
    expect(because(aShard({ hashKeyRange: { start: 0n, end: MAX_HASH_KEY - 1n } }))).to.include(`${MAX_HASH_KEY}`)
    const later = aShard({ shardId: shardId(2), hashKeyRange: { start: half + 2n, end: MAX_HASH_KEY } })
    expect(because(low, later)).to.include(`${half + 1n}..${half + 1n}`)
  })

  it('refuses an empty listing and one without open shards', () => {
    expect(because()).to.include('none')
    expect(because(closed)).to.include('none')
  })
})

describe('isCutByKeys', () => {
  const { hashKeyRange: _, ...unranged } = aShard()

  it('says whether a listing can be judged by its hash keys', () => {
    expect(isCutByKeys([aShard()])).to.equal(true)
    expect(isCutByKeys([unranged])).to.equal(false)
  })

  it('lets no listing be refused that cannot be', () => {
    const closed = { ...unranged, shardId: shardId(1), endingSequenceNumber: '5' }
    for (const shards of [[unranged], [unranged, { ...unranged, shardId: shardId(2) }], [closed]]) {
      expect(judgeListing(shards)).to.deep.equal({ kind: 'consistent' })
    }
  })
})
