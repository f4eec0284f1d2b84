// What must hold of a ByteBudget whatever is asked of it, over random requests.
import { expect } from 'chai'
import { type ByteAllowance, ByteBudget, type HeldBytes } from '../../src/retrieval/byte-budget.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'

interface Asked {
  readonly shard: Shard
  readonly bytes: number
  readonly abort: AbortController
  held?: HeldBytes
  isOver: boolean
}

interface Shard {
  readonly allowance: ByteAllowance
  isClosed: boolean
}

/** Shards that ask a budget for bytes. */
class Crowd {
  readonly budget: ByteBudget
  readonly maxBytes: number
  readonly random: Random
  shards: Shard[] = []
  asked: Asked[] = []

  constructor(seed: number) {
    this.random = seededRandom(seed)
    this.maxBytes = 1_000 + this.below(9_000)
    this.budget = new ByteBudget({ maxBytes: this.maxBytes, maxShardBytes: 200 + this.below(this.maxBytes) })
  }

  below(limit: number): number {
    return Math.floor(this.random.next() * limit)
  }

  one<T>(of: readonly T[]): T | undefined {
    return of[this.below(of.length)]
  }

  open(): void {
    this.shards.push({ allowance: this.budget.open(), isClosed: false })
  }

  ask(shard: Shard, bytes: number): Asked {
    const asked: Asked = { shard, bytes, abort: new AbortController(), isOver: false }
    this.asked.push(asked)
    shard.allowance.hold(bytes, asked.abort.signal).then(
      held => {
        asked.held = held
      },
      () => {
        asked.isOver = true
      }
    )
    return asked
  }

  holding(): Asked[] {
    return this.asked.filter(({ held, isOver }) => held !== undefined && !isOver)
  }

  waiting(): Asked[] {
    return this.asked.filter(({ held, isOver }) => held === undefined && !isOver)
  }

  release(asked: Asked): void {
    asked.held?.release()
    asked.isOver = true
  }

  close(shard: Shard): void {
    shard.allowance.close()
    shard.isClosed = true
    this.shards = this.shards.filter(each => each !== shard)
    for (const each of this.waiting()) if (each.shard === shard) each.isOver = true
  }

  heldBy(shard: Shard): number {
    return this.holding().reduce((sum, each) => sum + (each.shard === shard ? (each.held?.bytes ?? 0) : 0), 0)
  }

  /** Does something at random. */
  act(): void {
    const what = this.random.next()
    const shard = this.one(this.shards)
    const holding = this.one(this.holding())
    const waiting = this.one(this.waiting())
    if (what < 0.05 && this.shards.length < 12) this.open()
    else if (what < 0.08 && shard) this.close(shard)
    else if (what < 0.45 && shard) this.ask(shard, 1 + this.below(this.random.next() < 0.1 ? 12_000 : 800))
    else if (what < 0.6 && holding) holding.held?.resize(this.below(1_500))
    else if (what < 0.65 && waiting) waiting.abort.abort()
    else if (holding) this.release(holding)
  }

  /** What must hold after everything. */
  check(why: string): void {
    const sum = this.holding().reduce((total, { held }) => total + (held?.bytes ?? 0), 0)
    expect(this.budget.heldBytes, why).to.equal(sum)
    const part = Math.floor(this.maxBytes / 2 / Math.max(1, this.shards.length))
    const heads = new Map<Shard, Asked>()
    for (const each of this.waiting()) if (!heads.has(each.shard)) heads.set(each.shard, each)
    for (const [shard, { bytes }] of heads) {
      if (this.heldBy(shard) > 0) continue
      expect(bytes, `${why}: a shard that holds nothing waits for what it may always have`).to.be.above(part)
      expect(sum, `${why}: a shard waits for nobody`).to.be.above(0)
    }
  }
}

/** Lets promises settle. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await Promise.resolve()
}

describe('ByteBudget, whatever is asked of it', () => {
  it('counts right, wakes who can be granted, serves everybody in the end, and is empty after that', async () => {
    for (const seed of seeds(150)) {
      const crowd = new Crowd(seed)
      for (let count = 0; count < 4; count++) crowd.open()
      for (let step = 0; step < 200; step++) {
        crowd.act()
        await settled()
        crowd.check(`SEED=${seed} step ${step}`)
      }
      for (let step = 0; crowd.waiting().length > 0; step++) {
        const holding = crowd.one(crowd.holding())
        expect(holding, `SEED=${seed}: somebody waits while nothing is held`).to.not.equal(undefined)
        if (holding) crowd.release(holding)
        await settled()
        crowd.check(`SEED=${seed} release ${step}`)
      }
      for (const each of crowd.holding()) crowd.release(each)
      expect(crowd.budget.heldBytes, `SEED=${seed}`).to.equal(0)
    }
  })

  it('grants no more than there is to shards that stay and are told the truth about', async () => {
    for (const seed of seeds(150)) {
      const crowd = new Crowd(seed)
      const count = 1 + crowd.below(12)
      for (let index = 0; index < count; index++) crowd.open()
      for (let step = 0; step < 200; step++) {
        const shard = crowd.one(crowd.shards)
        const holding = crowd.one(crowd.holding())
        if (shard && crowd.random.next() < 0.6) {
          const { shareBytes } = shard.allowance
          const most = crowd.random.next() < 0.5 ? shareBytes : Math.floor(crowd.maxBytes / 2 / count)
          crowd.ask(shard, Math.max(1, crowd.below(most + 1)))
        } else if (holding && crowd.random.next() < 0.3) holding.held?.resize(crowd.below(holding.held.bytes + 1))
        else if (holding) crowd.release(holding)
        await settled()
        expect(crowd.budget.heldBytes, `SEED=${seed} step ${step}`).to.be.at.most(crowd.maxBytes)
      }
    }
  })

  it('never lets a shard wait for others that asks for its share', async () => {
    for (const seed of seeds(150)) {
      const crowd = new Crowd(seed)
      const count = 2 + crowd.below(12)
      for (let index = 0; index < count; index++) crowd.open()
      const [own, ...others] = crowd.shards
      if (own === undefined) throw new Error('There are shards')
      for (let step = 0; step < 100; step++) {
        const other = crowd.one(others)
        if (other) crowd.ask(other, 1 + crowd.below(crowd.random.next() < 0.2 ? 12_000 : 800))
        await settled()
        for (const each of crowd.holding()) if (each.shard === own && crowd.random.next() < 0.5) crowd.release(each)
        const asked = crowd.ask(own, own.allowance.shareBytes)
        await settled()
        if (asked.held !== undefined) continue
        for (const each of crowd.holding()) if (each.shard === own) crowd.release(each)
        await settled()
        expect(asked.held, `SEED=${seed} step ${step}`).to.not.equal(undefined)
      }
    }
  })
})
