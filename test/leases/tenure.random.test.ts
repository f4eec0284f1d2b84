// Sessions that fight for one lease over a network that loses, delays and throttles, suspended now and then, in solo and in
// mixed mode: who may write, and what the row holds to, whatever the order of things.
import { expect } from 'chai'
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { Tenure } from '../../src/leases/tenure.ts'
import { claimed, type Lease } from '../../src/model/lease.ts'
import { comparePositions, formatPosition } from '../../src/model/sequence-number.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, aPosition } from '../support/builders.ts'
import { flakyStore, randomFaults } from '../support/flaky-store.ts'
import { Heart, VALID_MS } from '../support/heart.ts'
import { seeds } from '../support/seeds.ts'

const KEY = aLease().leaseKey
const SEEDS = 60
const RUN_MS = 120_000

class World {
  readonly clock = new VirtualClock()
  readonly table = memoryLeaseStore()
  readonly problems: string[] = []
  readonly random: Random
  /** Checkpoints that landed, and by whom. */
  readonly landed: { by: string; position: string }[] = []
  promised = 0
  claims = 0

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  /** The table as `session` reaches it. What lands is checked at the moment it lands. */
  audited(session: string): LeaseStore {
    return {
      ...this.table,
      replace: async (before, after) => {
        const row = (await this.table.get(KEY)) as Lease
        const outcome = await this.table.replace(before, after)
        if (outcome.kind === 'refused') return outcome
        const now = (await this.table.get(KEY)) as Lease
        if (now.counter !== row.counter + 1) this.problems.push(`counter ${row.counter} became ${now.counter}`)
        const moved = comparePositions(now.checkpoint, row.checkpoint)
        const at = `${formatPosition(row.checkpoint)} to ${formatPosition(now.checkpoint)}`
        if (moved < 0) this.problems.push(`${session} took the checkpoint back: ${at}`)
        if (moved > 0) this.landed.push({ by: session, position: now.checkpoint.sequenceNumber })
        if (moved > 0 && row.owner !== session) this.problems.push(`${session} wrote ${at}, owner ${row.owner}`)
        return outcome
      }
    }
  }

  /** Claims, works through records one by one, checkpoints now and then, gives back or is robbed; again and again. */
  async live(session: string): Promise<void> {
    const { clock, random } = this
    const store = flakyStore(this.audited(session), clock, randomFaults(random))
    const heart = new Heart(clock)
    void this.disturb(heart)
    const isMixed = random.next() < 0.5
    while (clock.monotonicMs() < RUN_MS) {
      await clock.sleep(random.next() * 6_000)
      const sentAtMs = clock.monotonicMs()
      const row = await store.get(KEY).catch(() => undefined)
      if (row === undefined) continue
      const lease = claimed(row, session)
      const outcome = await store.replace(row, lease).catch(() => undefined)
      if (outcome?.kind !== 'written') continue
      this.claims += 1
      const ended = (): void => {}
      const leaseValidMs = (): number => (isMixed ? VALID_MS : Number.POSITIVE_INFINITY)
      const context = { store, session, clock, random, proof: heart.proof, leaseValidMs, ended }
      await this.work(new Tenure(lease, sentAtMs, context)).catch(() => {})
    }
  }

  /** The heartbeats of a session are not answered for a while, again and again. */
  async disturb(heart: Heart): Promise<void> {
    const { clock, random } = this
    while (clock.monotonicMs() < RUN_MS) {
      await clock.sleep(random.next() * 20_000)
      if (random.next() < 0.5) heart.silence()
      else heart.lapse()
      await clock.sleep(random.next() * 12_000)
      heart.beat()
    }
  }

  async work(tenure: Tenure): Promise<void> {
    const { clock, random } = this
    let at = Number(tenure.lease.checkpoint.sequenceNumber) || 0
    for (;;) {
      at += Math.floor(random.next() * 5)
      await clock.sleep(random.next() * 1_500)
      if (random.next() < 0.8) await tenure.whenValid(tenure.signal)
      const draw = random.next()
      if (draw < 0.1) return tenure.release()
      if (draw < 0.3) await tenure.renew()
      else if (draw < 0.4) void tenure.checkpoint(aPosition(at - 3)).catch(() => {})
      else {
        await tenure.checkpoint(aPosition(at))
        this.promised = Math.max(this.promised, at)
        const stored = (await this.table.get(KEY))?.checkpoint
        if (stored && comparePositions(stored, aPosition(at)) < 0) this.problems.push(`${at} was promised, not stored`)
      }
    }
  }
}

describe('sessions that fight for a lease', () => {
  it('checkpoint only while the row is theirs, and never take the checkpoint back', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World(seed)
      await world.table.create(aLease())
      const lives = ['a', 'b', 'c'].map(session => world.live(session))
      await world.clock.advance(RUN_MS + 60_000)
      await Promise.all(lives)
      expect(world.problems, `SEED=${seed}`).to.deep.equal([])
      expect(world.landed.length, `SEED=${seed}`).to.be.greaterThan(5)
      expect(new Set(world.landed.map(({ by }) => by)).size, `SEED=${seed}`).to.be.greaterThan(1)
    }
  })
})
