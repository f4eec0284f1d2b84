import { expect } from 'chai'
import { lettersOf, type RangePart, rangePicture } from '../../src/cli/range-picture-rules.ts'
import type { LeaseStatus } from '../../src/operate/status-rules.ts'

const ALL = 2n ** 128n

/** A lease of the part from `from` to `to`, of 16. */
function aLease(from: number, to: number, more: Partial<LeaseStatus> = {}): LeaseStatus {
  return {
    shardId: `${from}-${to}`,
    state: 'read',
    color: 'green',
    owner: 'w1/a',
    checkpoint: '',
    counter: 1,
    hasPendingCheckpoint: false,
    hashKeyRange: { start: String((ALL * BigInt(from)) / 16n), end: String((ALL * BigInt(to)) / 16n - 1n) },
    parentShardIds: [],
    childShardIds: [],
    shard: 'open',
    ...more
  }
}

const LETTERS = lettersOf([
  { workerId: 'w1', session: 'w1/a' },
  { workerId: 'w2', session: 'w2/b' },
  { workerId: 'foreign' }
])
const draw = (leases: readonly LeaseStatus[], width = 16): string =>
  rangePicture(leases, LETTERS, width)
    .map(({ letter, columns }: RangePart) => letter.repeat(columns))
    .join('')

describe('lettersOf', () => {
  it('gives each worker a letter, by its session', () => {
    expect([...LETTERS]).to.deep.equal([
      ['w1/a', 'A'],
      ['w2/b', 'B'],
      ['foreign', 'C']
    ])
    const many = lettersOf(Array.from({ length: 30 }, (_, n) => ({ workerId: String(n) })))
    expect([many.get('25'), many.get('26')]).to.deep.equal(['Z', 'A'])
  })
})

describe('rangePicture', () => {
  it('shows who reads which part', () => {
    expect(draw([aLease(0, 8), aLease(8, 12, { owner: 'w2/b' }), aLease(12, 16, { owner: 'foreign' })])).to.equal(
      'AAAAAAAABBBBCCCC'
    )
  })

  it('shows what nobody reads: free, red, and without a lease', () => {
    const { owner: _, ...free } = aLease(4, 8, { state: 'held' })
    const { owner: __, ...red } = aLease(8, 12, { state: 'unowned', color: 'red' })
    expect(draw([aLease(0, 4), free, red])).to.equal('AAAA····!!!!    ')
  })

  it('shows a parent that is read, and not the children that wait for it; of a finished one the children', () => {
    const children = [aLease(0, 8, { owner: 'w2/b' }), aLease(8, 16, { owner: 'w2/b' })]
    const waiting = children.map(child => ({ ...child, state: 'waiting' as const }))
    expect(draw([...waiting, aLease(0, 16)])).to.equal('A'.repeat(16))
    expect(draw([aLease(0, 16, { state: 'finished' }), ...children])).to.equal('B'.repeat(16))
  })

  it('is always as wide as wanted, and hides no red shard, however many there are', () => {
    const many = Array.from({ length: 1_000 }, (_, n) => {
      const [start, end] = [(ALL * BigInt(n)) / 1_000n, (ALL * BigInt(n + 1)) / 1_000n - 1n]
      const hashKeyRange = { start: String(start), end: String(end) }
      return aLease(0, 1, { hashKeyRange, shardId: String(n), ...(n === 501 && { color: 'red' as const }) })
    })
    for (const width of [10, 77, 120]) {
      const bar = draw(many, width)
      expect(bar).to.have.lengthOf(width)
      expect(bar.replaceAll('A', ''), String(width)).to.equal('!')
    }
    expect(draw([], 5)).to.equal('     ')
  })
})
