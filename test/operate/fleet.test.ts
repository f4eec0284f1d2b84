import { expect } from 'chai'
import { OperationError, OptionError } from '../../src/model/errors.ts'
import { openFleet } from '../../src/operate/fleet.ts'
import { simulate, type World } from '../../src/testing/index.ts'
import type { WorkerOptions } from '../../src/worker/options.ts'

const STREAM = 'clicks'
const SHARD = 'shardId-000000000000'

/** A worker that processes as `handler` does, and its fleet. */
async function operated(handler: () => unknown = () => {}, shards = 1) {
  const world = simulate({ faults: 'none' })
  world.kinesis.createStream(STREAM, shards)
  const options: WorkerOptions = {
    ...{ streamName: STREAM, applicationName: 'counter', startAt: 'TRIM_HORIZON' },
    handler: async () => void (await handler())
  }
  const worker = await world.start(options)
  await world.advance(15_000)
  return { world, options, worker, fleet: world.operator(options).fleet }
}

const put = (world: World, count = 1): void => {
  for (let index = 0; index < count; index++) world.kinesis.put(STREAM, `user-${index}`, 'x')
}

describe('Fleet.lag', () => {
  it('is nothing while all is processed, however old that is', async () => {
    const { world, fleet } = await operated()
    expect(await world.await(fleet.lag())).to.deep.include({ maxLagMs: 0 })
    put(world, 5)
    await world.advance(60_000)
    const { maxLagMs, shards } = await world.await(fleet.lag())
    expect(maxLagMs).to.equal(0)
    expect(shards[0]).to.include({ shardId: SHARD, lagMs: 0 })
  })

  it('grows while a handler hangs, whatever the worker says, and counts from the first record not done', async () => {
    const { world, fleet } = await operated(() => new Promise(() => {}))
    put(world)
    await world.advance(30_000)
    const first = await world.await(fleet.lag())
    expect(first.maxLagMs).to.be.within(29_000, 31_000)
    put(world, 10)
    await world.advance(60_000)
    expect((await world.await(fleet.lag())).maxLagMs).to.be.within(89_000, 91_000)
  })

  it('counts from the first record after the checkpoint, and not from that', async () => {
    let isHanging = false
    const { world, fleet } = await operated(() => (isHanging ? new Promise(() => {}) : undefined))
    put(world)
    await world.advance(100_000)
    isHanging = true
    put(world)
    await world.advance(5_000)
    expect((await world.await(fleet.lag())).maxLagMs).to.be.within(4_000, 6_000)
  })

  it('is of the shards that are asked for', async () => {
    const { world, fleet } = await operated(undefined, 3)
    const { shards } = await world.await(fleet.lag({ shardIds: [SHARD] }))
    expect(shards.map(({ shardId }) => shardId)).to.deep.equal([SHARD])
  })

  it('says of a shard why it cannot be measured, and measures the others', async () => {
    const { world, fleet } = await operated(undefined, 2)
    const isIt = { call: 'getShardIterator', key: SHARD, worker: 'operator' }
    world.faults.script(isIt, { kind: 'throttled' }, { times: 1_000 })
    const { shards } = await world.await(fleet.lag())
    expect(shards[0]).to.include({ shardId: SHARD }).and.have.property('problem').that.includes('throttled')
    expect(shards[1]).to.include({ lagMs: 0 })
  })
})

describe('Fleet.status', () => {
  it('tells workers that have died without a word from those that live, once it has watched', async () => {
    const { world, worker, fleet } = await operated()
    expect((await world.await(fleet.status({ watchMs: 12_000 }))).color).to.equal('green')
    world.crash(worker)
    const status = await world.await(fleet.status({ watchMs: 15_000 }))
    expect(status.color).to.equal('red')
    expect(status.reasons[0]).to.match(/^w1: has not been heard of for 1\d s/)
  })

  it('says what it means that there is no table, and shows leases of KCL where no worker of ours has run', async () => {
    const { world, options, worker, fleet } = await operated()
    world.crash(worker)
    const { tables } = world.application(options)
    tables.lose('control')
    const { workers, leases, holds } = await world.await(fleet.status())
    expect([workers.length, leases.length, holds]).to.deep.equal([1, 1, []])
    tables.lose('leases')
    const asking: (() => Promise<unknown>)[] = [
      ...[() => fleet.status(), () => fleet.lag(), () => fleet.reset('LATEST')],
      ...[() => fleet.release(), () => fleet.resume()]
    ]
    for (const ask of asking) {
      const error = await world.await(ask().catch((thrown: unknown) => thrown))
      expect(error).to.be.instanceOf(OperationError).and.have.property('because', 'no-such-table')
      expect((error as Error).message).to.match(/^There is no table .*: no worker of counter has run in this account/)
    }
  })

  it('shows a shard as red whose processor has failed for good', async () => {
    const { world, fleet } = await operated(() => {
      throw new Error('no')
    })
    put(world)
    await world.advance(120_000)
    const { workers, color } = await world.await(fleet.status())
    expect(color).to.equal('red')
    expect(workers[0]).to.include({ redShards: 1 })
    expect(workers[0]?.reasons[0]).to.equal(`${SHARD} is halted by Error; see the log of w1`)
    const codes = (await world.await(fleet.doctor())).map(({ code }) => code)
    expect(codes).to.deep.equal(['red-shards'])
  })
})

describe('Fleet.doctor', () => {
  it('finds nothing wrong with a fleet that is well', async () => {
    const { world, fleet } = await operated()
    expect(await world.await(fleet.doctor())).to.deep.equal([])
  })

  it('comes to something also where there is no stream, or no table', async () => {
    const { world, options, fleet } = await operated()
    world.application(options).tables.lose('leases')
    expect((await world.await(fleet.doctor())).map(({ code }) => code)).to.deep.equal(['lease-table-missing'])
    world.kinesis.deleteStream(STREAM)
    expect((await world.await(fleet.doctor())).map(({ code }) => code)).to.include('stream-missing')
  })
})

describe('Fleet.cost', () => {
  it('measures checkpoints while it watches, and estimates the rest', async () => {
    const { world, fleet } = await operated()
    const costing = fleet.cost({ watchMs: 20_000 })
    for (let second = 0; second < 20; second++) {
      put(world)
      await world.advance(1_000)
    }
    const { leaseWritesPerSecond, workers, watchedMs } = await world.await(costing)
    expect(leaseWritesPerSecond).to.be.within(0.8, 1.2)
    expect([workers, watchedMs]).to.deep.equal([1, 20_000])
  })
})

describe('Fleet.importCheckpoints', () => {
  it('brings back what was exported, on a fleet that runs, through a split', async () => {
    const { world, options, fleet } = await operated()
    put(world, 10)
    await world.advance(10_000)
    const exported = JSON.parse(JSON.stringify(await world.await(fleet.exportCheckpoints())))
    put(world, 10)
    await world.advance(5_000)
    world.split(STREAM)
    put(world, 10)
    await world.advance(30_000)
    const before = world.counts().deliveries
    expect(before).to.equal(30)
    const { shards } = await world.await(fleet.importCheckpoints(exported))
    expect(shards).to.have.length(3)
    await world.advance(30_000)
    expect(world.counts().deliveries).to.equal(before + 20)
    await world.untilProcessed()
    world.assertSound()
    expect(world.application(options).tables.leases.get(SHARD)?.checkpoint.sequenceNumber ?? 'SHARD_END').to.equal(
      'SHARD_END'
    )
  })

  it('refuses what is of another stream of the same name', async () => {
    const { world, fleet } = await operated()
    const exported = await world.await(fleet.exportCheckpoints())
    const failing = fleet.importCheckpoints({ ...exported, streamCreationEpoch: 1 }).catch((error: unknown) => error)
    expect(await world.await(failing)).to.have.property('because', 'mismatch')
  })
})

describe('openFleet', () => {
  const VALID = { applicationName: 'counter', streamName: 'clicks' }
  const bad: Record<string, [object, RegExp]> = {
    'no application': [{ streamName: 'clicks' }, /^Option applicationName: is missing/],
    'no stream': [{ applicationName: 'counter' }, /^Option streamName: is missing/],
    'an option that it does not know': [{ ...VALID, tableName: 'x' }, /^Option tableName: is not known/],
    'a table option that it does not know': [
      { ...VALID, leases: { table: 'x' } },
      /^Option leases\.table: is not known/
    ],
    'a duration out of range': [{ ...VALID, leases: { durationMs: 1 } }, /^Option leases\.durationMs: is 1/],
    'nobody who gives orders': [{ ...VALID, by: '' }, /^Option by: is ""/]
  }
  for (const [what, [options, message]] of Object.entries(bad)) {
    it(`refuses ${what}`, () => {
      expect(() => openFleet(options as never)).to.throw(OptionError, message)
    })
  }

  it('calls nothing, and can be closed again', () => {
    openFleet(VALID).close()
  })
})

describe('Fleet.reset', () => {
  const refused: Record<string, [position: unknown, options: object, message: RegExp]> = {
    'a word it does not know': ['NOW', {}, /^Option position: is "NOW", expected 'TRIM_HORIZON'/],
    'a time that is none': [new Date('x'), {}, /^Option position: is an invalid Date/],
    'a time to come': [new Date(4_000_000_000_000), {}, /expected a time that is not in the future/],
    'a number without its shard': [{ sequenceNumber: '1' }, {}, /^Option shardIds: expected exactly one/],
    'a number that is none': [
      { sequenceNumber: 'x' },
      { shardIds: [SHARD] },
      /^Option position\.sequenceNumber: is "x"/
    ],
    'half a record': [
      { sequenceNumber: '1', subSequenceNumber: 0.5 },
      { shardIds: [SHARD] },
      /subSequenceNumber: is 0.5/
    ],
    'no shards': ['LATEST', { shardIds: [] }, /^Option shardIds: is empty/],
    'no time at all': ['LATEST', { timeoutMs: 0 }, /^Option timeoutMs: is 0/]
  }
  for (const [what, [position, options, message]] of Object.entries(refused)) {
    it(`refuses ${what}, before anything is changed`, async () => {
      const { world, fleet } = await operated()
      const error = await world.await(fleet.reset(position as never, options).catch((thrown: unknown) => thrown))
      expect(error).to.be.instanceOf(OptionError)
      expect((error as Error).message).to.match(message)
      expect((await world.await(fleet.status())).holds).to.deep.equal([])
    })
  }
})
