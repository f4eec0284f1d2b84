import { expect } from 'chai'
import { RunBoard } from '../../src/cli/run-board.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import type { WorkerHealth } from '../../src/worker/health-rules.ts'
import { WatchedWorker } from '../support/watched-worker.ts'

const HEALTH: WorkerHealth = { color: 'green', state: 'running', paused: false, shards: [] }

const shard = (n: number) => ({ shardId: `shard-${n}`, leaseKey: `shard-${n}`, streamName: 'orders' })

describe('RunBoard', () => {
  let clock: VirtualClock
  let worker: WatchedWorker
  let board: RunBoard

  beforeEach(() => {
    clock = new VirtualClock()
    worker = new WatchedWorker(HEALTH)
    board = new RunBoard(worker, clock, { streamName: 'orders', applicationName: 'printer' })
  })

  const take = (n: number): void => worker.emitter.emit('lease:taken', { ...shard(n), why: 'unowned', checkpoint: '' })
  const process = (n: number, records: number): void =>
    worker.emitter.emit('batch:processed', {
      ...shard(n),
      records,
      bytes: records * 100,
      millisBehindLatest: 0,
      durationMs: 1
    })

  it('counts records and bytes, shard by shard, and how far each is behind', () => {
    take(2)
    take(1)
    process(1, 10)
    process(2, 5)
    process(1, 1)
    worker.emitter.emit('shard:read', { ...shard(2), records: 5, bytes: 5, millisBehindLatest: 7_000 })
    const { records, bytes, millisBehindLatest, shards, health, streamName } = board.snapshot()
    expect({ records, bytes, millisBehindLatest, streamName }).to.deep.equal({
      records: 16,
      bytes: 1_600,
      millisBehindLatest: 7_000,
      streamName: 'orders'
    })
    expect(shards.map(each => [each.shardId, each.records])).to.deep.equal([
      ['shard-1', 11],
      ['shard-2', 5]
    ])
    expect(health).to.equal(HEALTH)
  })

  it('has rates of the last seconds', async () => {
    take(1)
    for (let second = 0; second < 30; second++) {
      process(1, second < 20 ? 1_000 : 100)
      await clock.advance(1_000)
      board.snapshot()
    }
    const { perSecond, bytesPerSecond, shards, elapsedMs } = board.snapshot()
    expect(perSecond).to.be.closeTo(100, 15)
    expect(bytesPerSecond).to.be.closeTo(10_000, 1_500)
    expect(shards[0]?.perSecond).to.equal(perSecond)
    expect(elapsedMs).to.equal(30_000)
  })

  it('leaves out shards whose lease is gone, and keeps their count', () => {
    for (const n of [1, 2, 3, 4]) take(n)
    process(1, 10)
    worker.emitter.emit('lease:released', shard(1))
    worker.emitter.emit('lease:lost', { ...shard(2), because: 'x' })
    worker.emitter.emit('shard:ended', { ...shard(3), childShardIds: [] })
    expect(board.snapshot().shards.map(({ shardId }) => shardId)).to.deep.equal(['shard-4'])
    expect(board.snapshot().records).to.equal(10)
    take(1)
    expect(board.snapshot().shards.map(({ records }) => records)).to.deep.equal([10, 0])
  })

  it('keeps the last of what happened', () => {
    for (let n = 0; n < 60; n++) board.note(n % 2 === 0 ? 'info' : 'error', `happening ${n}`)
    const { happenings } = board.snapshot()
    expect(happenings).to.have.lengthOf(50)
    expect(happenings.at(-1)).to.deep.equal({ atMs: clock.epochMs(), level: 'error', text: 'happening 59' })
  })

  it('knows which processors did not return', () => {
    expect(board.abandoned).to.deep.equal([])
    worker.emitter.emit('worker:stopped', { workerId: 'w', abandoned: ['shard-1'] })
    expect(board.abandoned).to.deep.equal(['shard-1'])
  })
})
