import { expect } from 'chai'
import { differenceOf } from '../../src/dashboard/difference-rules.ts'
import type { Frame, Snapshot } from '../../src/dashboard/snapshot.ts'
import { EVENTS, foldFrame, HISTORY_MS, withPoints } from '../../src/dashboard/view-state.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { aShardRow, aSnapshot, aWorkerRow } from '../support/dashboard-rows.ts'
import { seeds } from '../support/seeds.ts'

const full = (snapshot?: Snapshot): Frame => ({
  ...{ kind: 'full', page: { canAct: false, everyMs: 1_000 }, points: [], events: [], operations: [] },
  ...(snapshot !== undefined && { snapshot })
})

describe('foldFrame', () => {
  for (const seed of seeds(10)) {
    it(`comes to the snapshot that the server has, whatever happens (SEED=${seed})`, () => {
      const random = seededRandom(seed)
      const chance = (part: number): boolean => random.next() < part
      const next = (): Snapshot => {
        const shards = Array.from({ length: 20 }, (_, at) => at)
          .filter(() => chance(0.8))
          .map(at =>
            aShardRow(at, {
              ...(chance(0.5) && { lagMs: Math.floor(random.next() * 9) }),
              ...(chance(0.2) && { reason: 'x', isRed: true })
            })
          )
        return aSnapshot(shards, [aWorkerRow('w', { shards: shards.length })], {
          atMs: random.next(),
          ...(chance(0.3) && { maxLagMs: 7 })
        })
      }
      let snapshot = next()
      let view = foldFrame(undefined, full(snapshot))
      for (let round = 0; round < 40; round++) {
        const after = next()
        view = foldFrame(view, JSON.parse(JSON.stringify({ kind: 'change', ...differenceOf(snapshot, after) })))
        snapshot = after
        expect([...view.shards.values()]).to.deep.equal(snapshot.shards)
        expect([...view.workers.values()]).to.deep.equal(snapshot.workers)
        expect(view.facts).to.deep.equal(snapshot.facts)
      }
    })
  }

  it('says which shards are not as they were, and whether the picture is another', () => {
    const [one, two] = [aShardRow(1), aShardRow(2)]
    const view = foldFrame(undefined, full(aSnapshot([one, two])))
    expect([view.changed, view.isReshaped]).to.deep.equal(['all', true])
    const moved = foldFrame(view, { kind: 'change', shards: { put: [{ id: one.id, owner: 'w' }], gone: [] } })
    expect([moved.changed, moved.isReshaped]).to.deep.equal([new Set([one.id]), false])
    const finished = foldFrame(moved, {
      kind: 'change',
      shards: { put: [{ id: one.id, state: 'finished' }], gone: [] }
    })
    expect(finished.isReshaped).to.equal(true)
    expect(foldFrame(view, { kind: 'change', shards: { put: [], gone: [two.id] } }).isReshaped).to.equal(true)
  })

  it('takes the first look after none for everything', () => {
    const empty = foldFrame(undefined, full())
    expect(empty.facts).to.equal(undefined)
    const { facts } = aSnapshot()
    const view = foldFrame(empty, {
      kind: 'change',
      facts: { ...facts },
      shards: { put: [{ ...aShardRow(1) }], gone: [] }
    })
    expect([view.changed, view.shards.size]).to.deep.equal(['all', 1])
  })

  it('keeps so many events', () => {
    const events = Array.from(
      { length: EVENTS + 20 },
      (_, id) => ({ id, atMs: 0, topic: 'shard', mood: 'plain', text: '' }) as const
    )
    const view = foldFrame(foldFrame(undefined, full()), { kind: 'change', events })
    expect(view.events).to.have.length(EVENTS)
    expect(view.events[0]?.id).to.equal(20)
  })

  it('cannot begin with a change', () => {
    expect(() => foldFrame(undefined, { kind: 'change' })).to.throw(TypeError)
  })
})

describe('withPoints', () => {
  it('forgets what is older than half an hour', () => {
    const at = (atMs: number) => ({ atMs, maxMs: 1, medianMs: 1 })
    expect(withPoints([at(0), at(10)], [at(HISTORY_MS + 5)])).to.deep.equal([at(10), at(HISTORY_MS + 5)])
  })
})
