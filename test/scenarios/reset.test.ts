// An application that begins again somewhere while it runs, is resharded, and loses workers: in a simulated world, whose checks
// hold that nothing from there on is left out and that no former owner writes; here, that nothing before it is delivered.
import { expect } from 'chai'
import type { ResetReport } from '../../src/operate/reset.ts'
import {
  type LeaseWrite,
  type SimulatedOperator,
  type SimulateOptions,
  simulate,
  type World
} from '../../src/testing/index.ts'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { isRepeated, seeds } from '../support/seeds.ts'

const STREAM = 'clicks'
/** Within so long the fleet has its shards again. Milliseconds. */
const FAILOVER_MS = 18_000

interface Delivery {
  readonly shardId: string
  readonly sequenceNumber: string
  readonly arrivedAtMs: number
  readonly atMs: number
}

/** A fleet, its traffic, and what it delivered. */
class ResetWorld {
  readonly world: World
  readonly deliveries: Delivery[] = []
  /** When the row of each shard was reset. Virtual milliseconds. */
  readonly resetAtMs = new Map<string, number>()
  readonly writes: LeaseWrite[] = []
  readonly options: WorkerOptions
  readonly operator: SimulatedOperator
  /** Until when a worker stood still, or when one was killed, the last time. */
  troubledUntilMs = 0

  constructor(with_: SimulateOptions & { readonly shards: number; readonly handlerMs?: number }) {
    const { shards, handlerMs = 0, ...simulating } = with_
    this.world = simulate({
      ...simulating,
      leaseWritten: write => {
        this.writes.push(write)
        if (write.kind === 'reset' && write.isWritten) this.resetAtMs.set(write.leaseKey, this.nowMs())
      }
    })
    this.world.kinesis.createStream(STREAM, shards)
    this.options = {
      ...{ streamName: STREAM, applicationName: 'counter', startAt: 'TRIM_HORIZON' },
      handler: async (records, { shardId }) => {
        for (const { sequenceNumber, arrivedAtMs = 0 } of records) {
          this.deliveries.push({ shardId, sequenceNumber, arrivedAtMs, atMs: this.nowMs() })
        }
        if (handlerMs > 0) await this.world.clock.sleep(handlerMs)
      }
    }
    this.operator = this.world.operator(this.options)
  }

  nowMs(): number {
    return this.world.clock.monotonicMs()
  }

  /** Time passes, something is put each second, and, if that is wanted, things happen. */
  async load(ms: number, { reshard = 0, misfortune = 0 } = {}): Promise<void> {
    const { world } = this
    const { random } = world
    for (let atMs = 0; atMs < ms; atMs += 1_000) {
      for (let index = 0; index < 12; index++) world.kinesis.put(STREAM, `user-${Math.floor(random.next() * 60)}`, 'x')
      await world.advance(1_000)
      const open = world.kinesis.shards(STREAM).filter(({ endingSequenceNumber }) => endingSequenceNumber === undefined)
      if (random.next() < reshard) {
        if (open.length < 6) world.split(STREAM)
        else world.merge(STREAM)
      }
      if (random.next() < misfortune) this.misfortune()
    }
  }

  misfortune(): void {
    const { world } = this
    const running = world.workers.filter(({ isRunning, isPaused }) => isRunning && !isPaused)
    const one = running[Math.floor(world.random.next() * running.length)]
    if (one === undefined) return
    if (world.random.next() < 0.5 && running.length > 1) {
      world.crash(one)
      this.troubledUntilMs = Math.max(this.troubledUntilMs, this.nowMs())
      world.launch(this.options)
    } else {
      const ms = 2_000 + world.random.next() * 25_000
      this.troubledUntilMs = Math.max(this.troubledUntilMs, this.nowMs() + ms)
      world.pause(one, ms)
    }
  }

  /** What was delivered of a shard since it was reset. */
  since(shardId: string): Delivery[] {
    const fromMs = this.resetAtMs.get(shardId) ?? Number.POSITIVE_INFINITY
    return this.deliveries.filter(delivery => delivery.shardId === shardId && delivery.atMs >= fromMs)
  }

  /** Resets while traffic and misfortunes go on. */
  async reset(position: Parameters<SimulatedOperator['fleet']['reset']>[0], happening = {}): Promise<ResetReport> {
    let report: ResetReport | undefined
    let failure: unknown
    this.operator.fleet.reset(position).then(
      outcome => {
        report = outcome
      },
      error => {
        failure = error
      }
    )
    while (report === undefined && failure === undefined) await this.load(1_000, happening)
    if (report === undefined) throw failure
    return report
  }
}

/** Shards that are not read only once others are. */
function roots({ world, options }: ResetWorld): string[] {
  const { leases } = world.application(options).tables
  return [...leases.values()]
    .filter(({ parentShardIds }) => parentShardIds.every(id => !leases.has(id)))
    .map(({ shardId }) => shardId)
}

describe('a reset of a fleet that runs', () => {
  const totals = { shards: 0, redelivered: 0, skipped: 0, created: 0 }

  for (const seed of seeds(6)) {
    it(`begins every shard at the first record of that time or later, whatever happens meanwhile [SEED=${seed}]`, async function () {
      this.timeout(60_000)
      const test = new ResetWorld({ seed, faults: 'rough', shards: 3 })
      const { world } = test
      for (let count = 0; count < 3; count++) world.launch(test.options)
      await test.load(60_000 + world.random.next() * 30_000, { reshard: 0.05 })
      const time = new Date(world.clock.epochMs() - Math.floor(world.random.next() * 50_000))
      await test.load(world.random.next() * 10_000, { reshard: 0.05 })
      const first = new Map<string, string | undefined>()
      const note = (): void => {
        for (const { shardId } of world.kinesis.shards(STREAM)) {
          if (first.get(shardId) !== undefined) continue
          const record = world.kinesis
            .records(STREAM, shardId)
            .find(({ arrivedAtMs = 0 }) => arrivedAtMs >= time.getTime())
          first.set(shardId, record?.sequenceNumber)
        }
      }
      const listed = world.kinesis.shards(STREAM).map(({ shardId }) => shardId)
      const report = await test.reset(time, { reshard: 0.05, misfortune: 0.03 })
      const resetMs = test.nowMs()
      note()
      const reset = report.shards.map(({ shardId }) => shardId)
      expect(reset, 'every shard that was listed, also those without a row').to.include.members(listed)
      expect(reset).to.have.members([...test.resetAtMs.keys()])
      const early = roots(test).filter(shardId => first.get(shardId) !== undefined)
      const dueMs = Math.max(resetMs, test.troubledUntilMs) + FAILOVER_MS
      await test.load(dueMs - test.nowMs())
      for (const shardId of early) {
        const [delivery] = test.since(shardId)
        expect(delivery?.atMs, `${shardId} is read again in time`).to.be.lessThan(dueMs)
      }
      await world.untilProcessed()
      for (const { shardId } of report.shards) {
        const since = test.since(shardId)
        const before = since.filter(({ arrivedAtMs }) => arrivedAtMs < time.getTime())
        expect(before, `${shardId}: what arrived before`).to.deep.equal([])
        if (since.length > 0 && first.get(shardId) !== undefined) {
          expect(since[0]?.sequenceNumber, `${shardId} begins with`).to.equal(first.get(shardId))
        }
        totals.redelivered += since.length
      }
      totals.shards += report.shards.length
      totals.created += report.shards.filter(({ from }) => from === undefined).length
      world.assertSound()
    })
  }

  it('has had something to do in these worlds', function () {
    if (isRepeated) this.skip()
    expect(totals.shards).to.be.greaterThan(25)
    expect(totals.redelivered).to.be.greaterThan(1_000)
    expect(totals.created, 'shards whose rows were gone').to.be.greaterThan(0)
  })

  it('begins with the oldest records again, closed shards first, in order', async () => {
    const test = new ResetWorld({ faults: 'calm', shards: 2 })
    const { world } = test
    for (let count = 0; count < 2; count++) world.launch(test.options)
    await test.load(30_000)
    world.split(STREAM)
    await test.load(60_000)
    const before = test.deliveries.length
    const report = await test.reset('TRIM_HORIZON')
    expect(report.shards.map(({ to }) => to)).to.deep.equal(Array(4).fill('TRIM_HORIZON'))
    await world.untilProcessed()
    const again = report.shards.reduce((sum, { shardId }) => sum + test.since(shardId).length, 0)
    expect(again).to.be.at.least(before)
    world.assertSound()
  })

  it('goes on with what arrives from now on, and with nothing before', async () => {
    const test = new ResetWorld({ faults: 'calm', shards: 2, handlerMs: 5_000 })
    const { world } = test
    for (let count = 0; count < 2; count++) world.launch(test.options)
    await test.load(30_000)
    world.split(STREAM)
    await test.load(5_000)
    const report = await test.reset('LATEST')
    expect(report.shards.filter(({ to }) => to === 'LATEST')).to.have.length(3)
    await test.load(30_000)
    await world.untilProcessed()
    for (const { shardId } of report.shards) {
      const old = test.since(shardId).filter(({ arrivedAtMs }) => arrivedAtMs < report.atMs)
      expect(old, shardId).to.deep.equal([])
    }
    expect(test.deliveries.some(({ atMs, arrivedAtMs }) => arrivedAtMs >= report.atMs && atMs > 0)).to.equal(true)
    world.assertSound()
  })

  it('begins one shard after a record, and leaves the others alone', async () => {
    const test = new ResetWorld({ faults: 'calm', shards: 2 })
    const { world, operator } = test
    world.launch(test.options)
    await test.load(60_000)
    const [shardId = ''] = [...world.application(test.options).tables.leases.keys()]
    const records = world.kinesis.records(STREAM, shardId)
    const place = records[Math.floor(records.length / 2)]
    const { sequenceNumber = '' } = place ?? {}
    const report = await world.await(operator.fleet.reset({ sequenceNumber }, { shardIds: [shardId] }))
    expect(report.shards).to.have.length(1)
    expect(report.shards[0]).to.include({ shardId, to: sequenceNumber })
    await world.untilProcessed()
    expect(test.since(shardId)[0]?.sequenceNumber).to.equal(records[Math.floor(records.length / 2) + 1]?.sequenceNumber)
    expect([...test.resetAtMs.keys()]).to.deep.equal([shardId])
    world.assertSound()
  })

  it('lets nobody checkpoint who had the shard before, however late', async () => {
    const test = new ResetWorld({ faults: 'calm', shards: 1, handlerMs: 3_000 })
    const { world } = test
    const old = await world.start(test.options)
    await test.load(30_000)
    await world.until(() => test.deliveries.at(-1)?.atMs === test.nowMs(), 60_000)
    world.pause(old)
    const time = new Date(world.clock.epochMs() - 20_000)
    const report = await test.reset(time)
    expect(report.waitedMs).to.be.greaterThan(9_000)
    const { counter = 0 } = world.application(test.options).tables.leases.get(report.shards[0]?.shardId ?? '') ?? {}
    world.resume(old)
    await world.start(test.options)
    await test.load(60_000)
    await world.untilProcessed()
    const late = test.writes.filter(
      ({ expected, kind }) => kind !== 'reset' && (expected?.counter ?? counter) < counter
    )
    const landed = late.filter(
      ({ isWritten }, index) =>
        isWritten &&
        test.writes.indexOf(late[index] as LeaseWrite) > test.writes.findIndex(({ kind }) => kind === 'reset')
    )
    expect(landed).to.deep.equal([])
    world.assertSound()
  })

  it('works on a fleet that is stopped, and on one that was killed', async () => {
    const test = new ResetWorld({ faults: 'calm', shards: 2 })
    const { world } = test
    await world.start(test.options)
    await test.load(20_000)
    await world.stopAll()
    const stopped = await test.reset('TRIM_HORIZON')
    expect(stopped.waitedMs).to.be.lessThan(2_000)
    const next = await world.start(test.options)
    await test.load(20_000)
    world.crash(next)
    const killed = await test.reset('TRIM_HORIZON')
    expect(killed.waitedMs).to.be.within(9_000, 30_000)
    await world.start(test.options)
    await world.untilProcessed()
    world.assertSound()
  })

  it('lets go of the hold when it is aborted, and changes nothing then', async () => {
    const test = new ResetWorld({ faults: 'calm', shards: 2, handlerMs: 60_000 })
    const { world, operator } = test
    await world.start(test.options)
    await test.load(20_000)
    const aborting = new AbortController()
    const outcome = operator.fleet.reset('LATEST', { signal: aborting.signal }).catch((error: unknown) => error)
    await world.advance(5_000)
    expect((await world.await(operator.fleet.status())).holds).to.have.length(1)
    const reason = new Error('enough')
    aborting.abort(reason)
    const error = await world.await(outcome)
    expect(error).to.include({ because: 'interrupted', cause: reason })
    expect((await world.await(operator.fleet.status())).holds).to.deep.equal([])
    expect([...test.resetAtMs]).to.deep.equal([])
    world.assertSound()
  })
})
