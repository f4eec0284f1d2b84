import { expect } from 'chai'
import { MAX_HASH_KEY } from '../../src/model/hash-key-range.ts'
import { type Lease, newLease } from '../../src/model/lease.ts'
import { AT_TIMESTAMP, LATEST, SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import type { Shard } from '../../src/model/shard.ts'
import type { StartPosition } from '../../src/model/start-position.ts'
import { planShardSync, type SyncFacts, wavesOf } from '../../src/shards/plan-shard-sync.ts'
import { A_STREAM, aLease, aPosition, shardId } from '../support/builders.ts'
import {
  aStream,
  creations,
  leaseOf,
  listing,
  numberOf,
  planFor,
  removals,
  workedExample
} from '../support/shard-trees.ts'

const SINCE = new Date(500)
const done = { checkpoint: SHARD_END }
const unread = { checkpoint: TRIM_HORIZON }
const first = { startTimestampMs: 400 }

/** The lease as KCL would have written it. */
function ofKcl({ stream: _, ...lease }: Lease): Lease {
  return lease
}

describe('planShardSync', () => {
  describe('on an empty table', () => {
    it('begins with the oldest shards at TRIM_HORIZON', () => {
      const expected = [0, 1, 2, 3, 4, 5].map(number => `${number} TRIM_HORIZON first`)
      expect(creations(planFor(workedExample(), []))).to.deep.equal(expected)
    })

    it('begins with the open shards at LATEST, and remembers since when', () => {
      const expected = [4, 8, 9, 10].map(number => `${number} LATEST@1000 first`)
      expect(creations(planFor(workedExample(), [], { startAt: 'LATEST' }))).to.deep.equal(expected)
    })

    it('begins with the shards that were open at a time', () => {
      const openAtStart = new Set([4, 5, 6, 7].map(shardId))
      const expected = [4, 5, 6, 7].map(number => `${number} AT_TIMESTAMP@500 first`)
      expect(creations(planFor(workedExample(), [], { startAt: SINCE, openAtStart }))).to.deep.equal(expected)
    })

    it('begins with the oldest shards if those open at that time are not known, or not all of them', () => {
      const expected = [0, 1, 2, 3, 4, 5].map(number => `${number} AT_TIMESTAMP@500 first`)
      for (const open of [undefined, [], [4, 5, 7], [4, 5, 6, 7, 8]]) {
        const openAtStart = open && { openAtStart: new Set(open.map(shardId)) }
        expect(creations(planFor(workedExample(), [], { startAt: SINCE, ...openAtStart }))).to.deep.equal(expected)
      }
    })

    it('takes shards whose parents have expired for the oldest', () => {
      const stream = workedExample()
      for (const number of [0, 1, 2, 3, 5]) stream.expireShard(shardId(number))
      const expected = [4, 6, 7, 9, 10].map(number => `${number} TRIM_HORIZON first`)
      expect(creations(planFor(stream, []))).to.deep.equal(expected)
    })

    it('sees no hole: nobody has begun to read', () => {
      expect(planFor(workedExample(), []).holes).to.deep.equal([])
    })

    it('names parents even if they have expired, the hash keys and the stream', () => {
      const stream = aStream(2)
      stream.merge(shardId(0), shardId(1))
      stream.expireShard(shardId(0))
      stream.expireShard(shardId(1))
      expect(planFor(stream, []).create.map(({ lease }) => lease)).to.deep.equal([
        newLease({
          shardId: shardId(2),
          checkpoint: TRIM_HORIZON,
          parentShardIds: [shardId(0), shardId(1)],
          hashKeyRange: { start: 0n, end: MAX_HASH_KEY },
          stream: A_STREAM
        })
      ])
    })
  })

  describe("in KCL's worked example", () => {
    const cases: [StartPosition, leased: number[], expired: number[], created: string[]][] = [
      ['LATEST', [4, 5, 7], [], ['6 LATEST@1000 ancestor']],
      ['TRIM_HORIZON', [4, 5, 7], [], ['0 TRIM_HORIZON ancestor', '1 TRIM_HORIZON ancestor']],
      [SINCE, [4, 5, 7], [], ['0 AT_TIMESTAMP@500 ancestor', '1 AT_TIMESTAMP@500 ancestor']],
      ['TRIM_HORIZON', [4, 5, 7], [0, 1], ['6 TRIM_HORIZON ancestor']],
      ['TRIM_HORIZON', [0, 1, 2, 3, 4, 5], [], []],
      ['LATEST', [4, 8, 9, 10], [], []],
      ['LATEST', [4, 6, 7, 9, 10], [], []],
      ['LATEST', [4, 5], [], ['8 LATEST@1000 new-shard']],
      ['LATEST', [5, 6, 7], [], ['4 LATEST@1000 new-shard']],
      ['TRIM_HORIZON', [5, 6, 7], [], ['4 TRIM_HORIZON new-shard']],
      ['TRIM_HORIZON', [0, 1, 4, 5], [], ['2 TRIM_HORIZON ancestor', '3 TRIM_HORIZON ancestor']]
    ]
    for (const [startAt, leased, expired, created] of cases) {
      const trimmed = expired.length === 0 ? '' : `, ${expired} expired`
      const position = typeof startAt === 'string' ? startAt : 'AT_TIMESTAMP'
      it(`creates ${created.join(' and ') || 'nothing'} for leases ${leased} at ${position}${trimmed}`, () => {
        const stream = workedExample()
        const leases = leased.map(number => ofKcl(leaseOf(stream, number)))
        for (const number of expired) stream.expireShard(shardId(number))
        expect(creations(planFor(stream, leases, { startAt }))).to.deep.equal(created)
      })
    }

    it('begins as on an empty table if the leases have nothing to do with the listed shards', () => {
      const stranger = [
        ofKcl(aLease({ shardId: 'shardId-old', checkpoint: aPosition(1), hashKeyRange: { start: 0n, end: 0n } }))
      ]
      expect(creations(planFor(workedExample(), stranger, { startAt: 'LATEST' }))).to.deep.equal(
        [4, 8, 9, 10].map(number => `${number} LATEST@1000 new-shard`)
      )
      const found = planFor(workedExample(), stranger).create.map(({ lease }) => numberOf(lease.shardId))
      expect(found).to.deep.equal([0, 1, 2, 3, 4, 5])
    })
  })

  describe('when the stream was resharded while no worker was running', () => {
    const stream = aStream(1)
    stream.split(shardId(0)) // 1, 2
    stream.split(shardId(1)) // 3, 4
    stream.merge(shardId(4), shardId(2)) // 5
    stream.split(shardId(5)) // 6, 7

    for (const startAt of ['LATEST', 'TRIM_HORIZON', SINCE] as const) {
      it(`leaves all to the lease that leads there, at ${typeof startAt === 'string' ? startAt : 'AT_TIMESTAMP'}`, () => {
        expect(creations(planFor(stream, [leaseOf(stream, 0)], { startAt }))).to.deep.equal([])
        const expired = [leaseOf(stream, 1), leaseOf(stream, 2)]
        expect(creations(planFor(stream, expired, { startAt }))).to.deep.equal([])
      })
    }

    it('waits for the parent that is still being read', () => {
      const leases = [leaseOf(stream, 2, done), leaseOf(stream, 3), leaseOf(stream, 4, unread)]
      expect(creations(planFor(stream, leases))).to.deep.equal([])
    })

    it('leaves the children of an expired shard to its unfinished lease', () => {
      const trimmed = aStream(1)
      const leases = [leaseOf(trimmed, 0)]
      trimmed.split(shardId(0))
      trimmed.expireShard(shardId(0))
      expect(creations(planFor(trimmed, leases, { startAt: 'LATEST' }))).to.deep.equal([])
    })
  })

  describe('when rows are missing', () => {
    const split = aStream(1)
    split.split(shardId(0)) // 1, 2
    const merged = aStream(2)
    merged.merge(shardId(0), shardId(1)) // 2

    for (const startAt of ['LATEST', 'TRIM_HORIZON', SINCE] as const) {
      describe(`at ${typeof startAt === 'string' ? startAt : 'AT_TIMESTAMP'}`, () => {
        const created = (stream: typeof split, ...leases: Lease[]): string[] =>
          creations(planFor(stream, leases, { startAt }))

        it('creates the children of a finished shard at TRIM_HORIZON', () => {
          const children = ['1 TRIM_HORIZON rebuilt', '2 TRIM_HORIZON rebuilt']
          expect(created(split, leaseOf(split, 0, done))).to.deep.equal(children)
          expect(created(split, leaseOf(split, 0, done), leaseOf(split, 2))).to.deep.equal(children.slice(0, 1))
        })

        it('reads a split child whose sibling has a lease from its beginning, and not the parent again', () => {
          expect(created(split, leaseOf(split, 2))).to.deep.equal(['1 TRIM_HORIZON rebuilt'])
          expect(created(split, leaseOf(split, 2, unread))).to.deep.equal(['1 TRIM_HORIZON rebuilt'])
        })

        it('knows the same of children whose parent has expired', () => {
          const trimmed = aStream(1)
          trimmed.split(shardId(0))
          trimmed.expireShard(shardId(0))
          expect(created(trimmed, leaseOf(trimmed, 2))).to.deep.equal(['1 TRIM_HORIZON rebuilt'])
        })

        it('knows from a grandchild that a child has been read', () => {
          const deep = aStream(1)
          deep.split(shardId(0)) // 1, 2
          deep.split(shardId(1)) // 3, 4
          expect(created(deep, leaseOf(deep, 3), leaseOf(deep, 4))).to.deep.equal(['2 TRIM_HORIZON rebuilt'])
          expect(created(deep, leaseOf(deep, 2), leaseOf(deep, 3))).to.deep.equal(['4 TRIM_HORIZON rebuilt'])
        })

        it('creates a merged shard once both parents are finished', () => {
          const parents = [leaseOf(merged, 0, done), leaseOf(merged, 1, done)]
          expect(created(merged, ...parents)).to.deep.equal(['2 TRIM_HORIZON rebuilt'])
          expect(created(merged, leaseOf(merged, 0, done), leaseOf(merged, 1))).to.deep.equal([])
        })

        it('brings back the parent of a merged shard that was not read to its end', () => {
          const leases = [leaseOf(merged, 0, done), leaseOf(merged, 2, unread)]
          expect(created(merged, ...leases)).to.deep.equal(['1 TRIM_HORIZON rebuilt'])
        })

        it('brings both back, one after the other or at once', () => {
          const unfinished = leaseOf(merged, 2, unread)
          expect(created(merged, unfinished)).to.deep.equal(['0 TRIM_HORIZON rebuilt', '1 TRIM_HORIZON rebuilt'])
          expect(created(merged, leaseOf(merged, 0), unfinished)).to.deep.equal(['1 TRIM_HORIZON rebuilt'])
        })

        it('takes both parents of a merged shard for done once that is being read', () => {
          expect(created(merged, leaseOf(merged, 2))).to.deep.equal([])
        })
      })
    }

    it('begins with the other parent of a merge at the start position', () => {
      const leases = [ofKcl(leaseOf(merged, 0, done))]
      expect(creations(planFor(merged, leases))).to.deep.equal(['1 TRIM_HORIZON ancestor'])
      expect(creations(planFor(merged, leases, { startAt: 'LATEST' }))).to.deep.equal(['1 LATEST@1000 ancestor'])
      expect(creations(planFor(merged, leases, { startAt: SINCE }))).to.deep.equal(['1 AT_TIMESTAMP@500 ancestor'])
    })

    it('reads since the application began where it began with LATEST', () => {
      const stream = aStream(3)
      const leases = [leaseOf(stream, 0, first), leaseOf(stream, 1, { startTimestampMs: 300 })]
      expect(creations(planFor(stream, leases, { startAt: 'LATEST' }))).to.deep.equal(['2 LATEST@300 new-shard'])
    })

    it('reads since the application began though only later generations tell of it', () => {
      const stream = aStream(2)
      stream.split(shardId(1)) // 2, 3
      const leases = [2, 3].map(number => leaseOf(stream, number, { beganAtMs: 400 }))
      expect(creations(planFor(stream, leases, { startAt: 'LATEST' }))).to.deep.equal(['0 LATEST@400 new-shard'])
    })

    it('skips nothing where LATEST is the start, but not that of the leases there are', () => {
      const stream = aStream(2)
      stream.split(shardId(1)) // 2, 3
      const leases = [2, 3].map(number => leaseOf(stream, number))
      expect(creations(planFor(stream, leases, { startAt: 'LATEST' }))).to.deep.equal(['0 TRIM_HORIZON new-shard'])
      stream.split(shardId(0)) // 4, 5
      expect(creations(planFor(stream, leases, { startAt: 'LATEST' }))).to.deep.equal(['0 TRIM_HORIZON ancestor'])
    })

    it('keeps in a continuation when the application began', () => {
      const [created] = planFor(split, [leaseOf(split, 0, { ...first, ...done }), leaseOf(split, 1)]).create
      expect(created?.lease).to.deep.include({ shardId: shardId(2), checkpoint: TRIM_HORIZON, beganAtMs: 400 })
    })

    it('does not take the shards that it began with for continuations', () => {
      const begun = leaseOf(split, 2, { ...first, checkpoint: LATEST })
      expect(creations(planFor(split, [begun], { startAt: 'LATEST' }))).to.deep.equal(['1 LATEST@400 new-shard'])
      const later = leaseOf(split, 2, first)
      expect(creations(planFor(split, [later], { startAt: 'LATEST' }))).to.deep.equal(['1 LATEST@400 new-shard'])
      const dated = leaseOf(split, 2, { startTimestampMs: 500, checkpoint: AT_TIMESTAMP })
      expect(creations(planFor(split, [dated], { startAt: SINCE }))).to.deep.equal(['1 AT_TIMESTAMP@500 new-shard'])
    })

    it('reads what was open when it began, and has been split since', () => {
      const stream = aStream(2)
      stream.split(shardId(1)) // 2, 3
      const leases = [leaseOf(stream, 0, first)]
      const openAtStart = new Set([0, 1].map(shardId))
      const plan = planFor(stream, leases, { startAt: 'LATEST', openAtStart })
      expect(creations(plan)).to.deep.equal(['1 LATEST@400 ancestor'])
    })

    it('reads all that is listed if it began before anything the service knows', () => {
      const stream = aStream(2)
      stream.split(shardId(1)) // 2, 3
      const plan = planFor(stream, [leaseOf(stream, 0, first)], { startAt: 'LATEST', openAtStart: new Set() })
      expect(creations(plan)).to.deep.equal(['1 LATEST@400 ancestor'])
    })
  })

  describe('with leases remembered by this worker', () => {
    const stream = aStream(1)
    stream.split(shardId(0)) // 1, 2
    const remembered = (...leases: Lease[]): { remembered: Map<string, Lease> } => ({
      remembered: new Map(leases.map(lease => [lease.leaseKey, lease]))
    })

    it('brings a vanished lease back as it was, without its owner', () => {
      const pendingCheckpoint = { position: aPosition(9), state: new Uint8Array([1]) }
      const lost = leaseOf(stream, 0, {
        owner: 'me',
        counter: 7,
        checkpoint: aPosition(8),
        pendingCheckpoint
      })
      const { owner: _, ...kept } = lost
      const plan = planFor(stream, [leaseOf(stream, 1)], { ...remembered(lost), startAt: 'LATEST' })
      expect(plan.create[0]).to.deep.equal({ lease: { ...kept, counter: 8 }, why: 'rebuilt' })
      expect(creations(plan)).to.deep.equal(['0 8 rebuilt'])
    })

    it('prefers what it remembers over an empty table', () => {
      const lost = leaseOf(stream, 1, { checkpoint: aPosition(8) })
      expect(creations(planFor(stream, [], remembered(lost)))).to.deep.equal(['1 8 rebuilt', '2 TRIM_HORIZON rebuilt'])
    })

    it('ignores what it remembers while the row is there', () => {
      const row = leaseOf(stream, 0, { checkpoint: aPosition(3) })
      expect(creations(planFor(stream, [row], remembered(leaseOf(stream, 0))))).to.deep.equal([])
    })

    it('brings a finished lease back only if nothing else shows that it is', () => {
      const finished = remembered(leaseOf(stream, 0, done))
      const children = ['1 TRIM_HORIZON rebuilt', '2 TRIM_HORIZON rebuilt']
      expect(creations(planFor(stream, [], finished))).to.deep.equal(['0 SHARD_END rebuilt', ...children])
      expect(creations(planFor(stream, [leaseOf(stream, 2)], finished))).to.deep.equal(children.slice(0, 1))
      expect(creations(planFor(stream, [leaseOf(stream, 1), leaseOf(stream, 2)], finished))).to.deep.equal([])
    })

    it('brings back a lease whose shard has expired: its end leads to its children', () => {
      const trimmed = aStream(1)
      const lost = leaseOf(trimmed, 0)
      trimmed.split(shardId(0))
      trimmed.expireShard(shardId(0))
      const plan = planFor(trimmed, [], { ...remembered(lost), startAt: 'LATEST' })
      expect(creations(plan)).to.deep.equal(['0 1 rebuilt'])
    })
  })

  describe('holes', () => {
    const half = (MAX_HASH_KEY + 1n) / 2n
    const stream = aStream(2)
    stream.split(shardId(0)) // 2, 3

    it('are the hash keys for which nobody reads', () => {
      const plan = planFor(stream, [leaseOf(stream, 0)])
      expect(plan.holes).to.deep.equal([{ start: half, end: MAX_HASH_KEY }])
      expect(creations(plan)).to.deep.equal(['1 TRIM_HORIZON new-shard'])
    })

    it('are none while a parent and its children overlap', () => {
      const leases = [0, 1, 2, 3].map(number => leaseOf(stream, number, unread))
      expect(planFor(stream, leases).holes).to.deep.equal([])
    })

    it('are none where a finished shard is continued', () => {
      const leases = [leaseOf(stream, 0, done), ...[1, 2, 3].map(number => leaseOf(stream, number))]
      expect(planFor(stream, leases).holes).to.deep.equal([])
    })

    it('are what a finished shard leaves that is not continued', () => {
      const plan = planFor(stream, [leaseOf(stream, 0, done), leaseOf(stream, 1), leaseOf(stream, 3)])
      expect(plan.holes).to.deep.equal([{ start: 0n, end: half / 2n - 1n }])
    })

    it('take the hash keys of a lease without any from its shard', () => {
      const { hashKeyRange: _, ...bare } = leaseOf(stream, 0)
      expect(planFor(stream, [bare, leaseOf(stream, 1)]).holes).to.deep.equal([])
    })
  })

  it('keeps the row of a finished parent as long as it is needed', () => {
    const stream = aStream(1)
    stream.split(shardId(0))
    expect(removals(planFor(stream, [leaseOf(stream, 0, done)]))).to.deep.equal([])
    const children = [leaseOf(stream, 1), leaseOf(stream, 2)]
    expect(removals(planFor(stream, [leaseOf(stream, 0, done), ...children]))).to.deep.equal(['0 children-started'])
  })

  it('creates the oldest shard first, whatever the order of the listing', () => {
    const shards = listing(aStream(12)).reverse()
    const created = planFor(aStream(12), [], { shards }).create.map(({ lease }) => numberOf(lease.shardId))
    expect(created).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })
})

describe('wavesOf', () => {
  it('keeps parents and children apart, and the order', () => {
    const stream = workedExample()
    const create = [0, 1, 4, 6, 5, 8].map(number => ({ lease: leaseOf(stream, number), why: 'rebuilt' as const }))
    const waves = wavesOf(create).map(wave => wave.map(({ lease }) => numberOf(lease.shardId)))
    expect(waves).to.deep.equal([[0, 1, 4], [6, 5], [8]])
    expect(wavesOf([])).to.deep.equal([])
  })
})

describe('planShardSync of a stream without hash keys', () => {
  const shard = (shardId: string, parentShardId?: string, endingSequenceNumber?: string): Shard => ({
    shardId,
    startingSequenceNumber: String(shardId.charCodeAt(0)),
    ...(parentShardId !== undefined && { parentShardId }),
    ...(endingSequenceNumber !== undefined && { endingSequenceNumber })
  })
  const facts = { stream: A_STREAM, startAt: 'TRIM_HORIZON', nowMs: 1_000, remembered: new Map(), leases: [] } as const
  const created = (shards: readonly Shard[], with_: Partial<SyncFacts> = {}) =>
    planShardSync({ ...facts, shards, ...with_ }).create.map(({ lease }) => lease.shardId)

  it('begins with the oldest shards, or with the open ones', () => {
    const shards = [shard('c', 'b'), shard('b', 'a', '9'), shard('a', undefined, '9'), shard('x')]
    expect(created(shards)).to.deep.equal(['a', 'x'])
    expect(created(shards, { startAt: 'LATEST' })).to.deep.equal(['c', 'x'])
  })

  it('begins with shards that are known to have been open at a time, though others are not known', () => {
    const shards = [shard('c', 'b'), shard('b', 'a', '9'), shard('a', undefined, '9'), shard('y', 'x'), shard('x')]
    const openAtStart = new Set(['b'])
    expect(created(shards, { startAt: new Date(500), openAtStart })).to.deep.equal(['b', 'x'])
  })

  it('reads a stream that has ended, whose shards are all closed', () => {
    const last = { ...shard('b', 'a', '9'), isLast: true }
    expect(created([shard('a', undefined, '9'), last])).to.deep.equal(['a'])
    expect(created([shard('a', undefined, '9'), last], { startAt: 'LATEST' })).to.deep.equal(['b'])
  })

  it('sees no holes', () => {
    const leases = [newLease({ shardId: 'a', checkpoint: SHARD_END, stream: A_STREAM })]
    expect(planShardSync({ ...facts, shards: [shard('b', 'a'), shard('x')], leases }).holes).to.deep.equal([])
  })
})
