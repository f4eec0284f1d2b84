// The scenarios S5 to S7, S13 and S17 of the reference on KCL's behaviour, by name: what the end of a shard takes, and when
// its children begin.
import { expect } from 'chai'
import { sdkKinesis } from '../../src/kinesis/sdk-kinesis.ts'
import { newLease } from '../../src/model/lease.ts'
import type { RecordsAnswer } from '../../src/model/records-answer.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { parentsOf } from '../../src/model/shard.ts'
import { aPosition, shardId } from '../support/builders.ts'
import { CallLog } from '../support/call-log.ts'
import { deliveredIds, expectInOrder, expectOnce, putInto, putIntoAll } from '../support/numbered-records.ts'
import { seeds } from '../support/seeds.ts'
import { StubKinesisClient } from '../support/stub-kinesis-client.ts'
import { tamper, throughPort } from '../support/tampered-kinesis.ts'
import { STREAM, World } from '../support/world.ts'

const [PARENT, OTHER, CHILD] = [shardId(0), shardId(1), shardId(2)]

/** The writes that put the end of a shard, or the row of a shard, into the table, as `2 created` and `0 ended`. */
function landmarks(world: World): string[] {
  return world.history.writes.flatMap(({ leaseKey, before, after }) => {
    const number = Number(leaseKey.slice(-12))
    if (before === undefined) return [`${number} created`]
    return after?.checkpoint.sequenceNumber === 'SHARD_END' && before.checkpoint.sequenceNumber !== 'SHARD_END'
      ? [`${number} ended`]
      : []
  })
}

async function remove(world: World, leaseKey: string): Promise<void> {
  const row = await world.store.get(leaseKey)
  if (row) await world.store.remove(row)
}

/** The row of a shard, nobody's, at its beginning unless told otherwise. */
async function leaseOf(world: World, number: number, checkpoint = TRIM_HORIZON): Promise<void> {
  const shard = world.kinesis.shards(STREAM).find(each => each.shardId === shardId(number))
  if (shard === undefined) throw new Error(`${number} is not listed`)
  const { hashKeyRange } = shard
  await world.store.create(
    newLease({ shardId: shardId(number), checkpoint, parentShardIds: parentsOf(shard), hashKeyRange })
  )
}

/** The position of a record of a shard, counted from 0. */
function recordAt(world: World, number: number, index: number) {
  return aPosition(world.kinesis.records(STREAM, shardId(number))[index]?.sequenceNumber ?? 'none')
}

describe('the end of a shard', () => {
  const senseless: Record<string, { isSplit: boolean; change: (answer: RecordsAnswer) => RecordsAnswer }> = {
    'there are no children and the shard is open': {
      isSplit: false,
      change: ({ records, bytes, millisBehindLatest }) => ({ records, bytes, millisBehindLatest })
    },
    'the children name no parents': {
      isSplit: true,
      change: answer => ({
        ...answer,
        childShards: (answer.childShards ?? []).map(child => ({ ...child, parentShardIds: [] }))
      })
    },
    'the children are those of another shard': {
      isSplit: true,
      change: answer => ({
        ...answer,
        childShards: (answer.childShards ?? []).map(child => ({ ...child, parentShardIds: [OTHER] }))
      })
    },
    'one child of two is left out': {
      isSplit: true,
      change: answer => ({ ...answer, childShards: (answer.childShards ?? []).slice(1) })
    }
  }
  for (const [how, { isSplit, change }] of Object.entries(senseless)) {
    it(`S5: is not believed if ${how}: it is read again, from the same place, until it makes sense`, async () => {
      const world = new World({ shards: 2 })
      const tampering = tamper(world)
      const log = new CallLog(world)
      let reads = 0
      tampering.getRecords = (answer, id) => {
        if (id !== PARENT) return answer
        reads += 1
        return !isSplit || answer.nextIterator === undefined ? change(answer) : answer
      }
      const member = await log.startWorker()
      putIntoAll(world, 3)
      await world.untilDelivered()
      if (isSplit) world.kinesis.split(STREAM, PARENT)
      reads = 0
      putIntoAll(world, 3)
      await world.clock.advance(60_000)
      expect(log.lines({ method: 'shardEnded' })).to.deep.equal([])
      expect(landmarks(world)).to.deep.equal(['0 created', '1 created'])
      const doubts = member.events('shard:failed')
      expect(doubts.length).to.be.within(3, 40)
      expect(doubts.every(({ during, retryInMs }) => during === 'end' && retryInMs !== undefined)).to.equal(true)
      expect(reads, 'reads in a minute').to.be.lessThan(100)
      tampering.getRecords = undefined
      await world.untilDelivered(60_000)
      expect(log.lines({ method: 'shardEnded' })).to.have.length(isSplit ? 1 : 0)
      expectOnce(world)
      await world.stopAll()
    })
  }

  it('S6: comes after the leases of both children of a split, at TRIM_HORIZON, and names them', async () => {
    for (const seed of seeds(5)) {
      const world = new World({ seed, latencyMs: 50 })
      const log = new CallLog(world)
      await log.startWorker()
      putIntoAll(world, 3)
      const children = world.kinesis.split(STREAM, PARENT)
      putIntoAll(world, 3)
      await world.untilDelivered()
      const order = landmarks(world)
      expect(order.slice(0, -1).sort(), `SEED=${seed}`).to.deep.equal(['0 created', '1 created', '2 created'])
      expect(order.at(-1), `SEED=${seed}`).to.equal('0 ended')
      const created = world.history.writes.filter(({ leaseKey, before }) => leaseKey !== PARENT && before === undefined)
      for (const { after } of created) {
        expect(after, `SEED=${seed}`).to.deep.include({
          checkpoint: TRIM_HORIZON,
          parentShardIds: [PARENT],
          counter: 0
        })
      }
      const parent = await world.store.get(PARENT)
      expect(parent?.childShardIds, `SEED=${seed}`).to.deep.equal(children)
      expect(parent?.owner, `SEED=${seed}`).to.equal(undefined)
      expectOnce(world)
      await world.stopAll()
    }
  })

  // KCL waits, and gives the lease up now and then, until somebody repairs the other lease; here its owner's end repairs it.
  it('S6: of one parent of a merge repairs the lease of the other first if that is missing, and the child waits for both', async () => {
    for (const seed of seeds(5)) {
      const world = new World({ shards: 2, seed, latencyMs: 20 })
      const log = new CallLog(world)
      putIntoAll(world, 3)
      // Only one of the parents has a lease when the worker starts to compare, and when the shard ends.
      await leaseOf(world, 0)
      const member = log.makeWorker(
        {
          processRecords: async ({ records, shardId: id, checkpointer }) => {
            if (id === PARENT) await remove(world, OTHER)
            if (id === OTHER) await member.clock.sleep(20_000)
            await checkpointer.checkpoint(records.at(-1))
          }
        },
        { shardSyncIntervalMs: 3_600_000 }
      )
      world.kinesis.merge(STREAM, PARENT, OTHER)
      putIntoAll(world, 3)
      await world.await(member.worker.start())
      await world.untilDelivered()
      await world.clock.advance(60_000)
      expectInOrder(world)
      const order = landmarks(world)
      expect(
        order.filter(line => line === '2 created'),
        `SEED=${seed}`
      ).to.have.length(1)
      expect(order.filter(line => line === '1 created').length, `SEED=${seed}: ${order}`).to.be.greaterThan(0)
      expect(order.indexOf('2 created'), `SEED=${seed}`).to.be.greaterThan(order.indexOf('1 created'))
      const endedAtMs = log.which({ shardId: OTHER, method: 'shardEnded' }).at(-1)?.endedAtMs
      const [began] = log.which({ shardId: CHILD, method: 'initialize' })
      expect(began?.atMs, `SEED=${seed}`).to.be.at.least(endedAtMs ?? Number.POSITIVE_INFINITY)
      expect(log.overlaps, `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  it('S6: of both parents of a merge that were cleaned up is taken for done: the child goes on', async () => {
    const world = new World({ shards: 2 })
    putIntoAll(world, 2)
    world.kinesis.merge(STREAM, PARENT, OTHER)
    const ids = [putInto(world, 2), putInto(world, 2), putInto(world, 2)]
    await leaseOf(world, 2, recordAt(world, 2, 0))
    await world.startWorker()
    await world.clock.advance(120_000)
    expect(deliveredIds(world)).to.deep.equal(ids.slice(1))
    expect(landmarks(world)).to.deep.equal(['2 created'])
    await world.stopAll()
  })

  it('S7: holds its children up for as long as it is not there, and not a second longer', async () => {
    for (const seed of seeds(4)) {
      const world = new World({ seed, latencyMs: 20 })
      const log = new CallLog(world)
      putIntoAll(world, 2)
      world.kinesis.split(STREAM, PARENT)
      putIntoAll(world, 2)
      // All three have leases, as after a crash between the creation of the children's and SHARD_END.
      for (const number of [0, 1, 2]) await leaseOf(world, number)
      const member = await log.startWorker({
        processRecords: async ({ shardId: id, checkpointer }, { clock }) => {
          if (id === PARENT) await clock.sleep(25_000)
          await checkpointer.checkpoint()
        }
      })
      await world.clock.advance(15_000)
      // Java workers hold such leases and look every ten seconds; here nobody is given one that cannot be read yet.
      expect(member.worker.shardIds, `SEED=${seed}`).to.deep.equal([PARENT])
      expect(
        log.calls.filter(call => call.shardId !== PARENT),
        `SEED=${seed}`
      ).to.deep.equal([])
      await world.untilDelivered()
      const endedAtMs =
        world.history.writes.find(({ after }) => after?.checkpoint.sequenceNumber === 'SHARD_END')?.atMs ?? 0
      const began = log.which({ method: 'initialize' }).filter(call => call.shardId !== PARENT)
      expect(began, `SEED=${seed}`).to.have.length(2)
      for (const { atMs } of began) expect(atMs - endedAtMs, `SEED=${seed}`).to.be.within(0, 1_100)
      expectOnce(world)
      await world.stopAll()
    }
  })

  it('S7: holds up a child, too, that was claimed just before the lease of its parent was brought back', async () => {
    for (const seed of seeds(4)) {
      const world = new World({ seed, latencyMs: 20 })
      const log = new CallLog(world)
      putIntoAll(world, 2)
      const children = world.kinesis.split(STREAM, PARENT)
      putIntoAll(world, 2)
      for (const number of [1, 2]) await leaseOf(world, number)
      const member = log.makeWorker({
        processRecords: async ({ shardId: id, checkpointer }, { clock }) => {
          if (id === PARENT) await clock.sleep(15_000)
          await checkpointer.checkpoint()
        }
      })
      let isBack = false
      member.intercept = ({ name }) => {
        if (name === 'replace' && !isBack) void leaseOf(world, 0)
        isBack ||= name === 'replace'
        return undefined
      }
      await world.await(member.worker.start())
      await world.clock.advanceUntil(() => log.calls.length > 0)
      await world.clock.advance(10_000)
      const early = children.filter(id => world.history.claims(id).length > 0)
      expect(early.length, `SEED=${seed}: children claimed too early`).to.be.greaterThan(0)
      expect(new Set(log.calls.map(call => call.shardId)), `SEED=${seed}`).to.deep.equal(new Set([PARENT]))
      await world.untilDelivered()
      const [ended] = member.events('shard:ended')
      const began = log.which({ method: 'initialize' }).filter(call => call.shardId !== PARENT)
      for (const { atMs } of began) expect(atMs - (ended?.atMs ?? 0), `SEED=${seed}`).to.be.within(0, 1_100)
      expectOnce(world)
      await world.stopAll()
    }
  })

  it('S7: is taken for granted where the parent has no lease: its child begins at once', async () => {
    const world = new World()
    world.kinesis.split(STREAM, PARENT)
    for (const number of [1, 2]) await leaseOf(world, number)
    putIntoAll(world, 2)
    const member = await world.startWorker()
    await world.untilDelivered(10_000)
    const taken = member.events('lease:taken').map(({ atMs }) => atMs)
    const started = member.events('shard:started').map(({ atMs }) => atMs)
    expect(started).to.deep.equal(taken)
    expectOnce(world)
    await world.stopAll()
  })

  it('S13: comes for a shard that has expired while it was read, without reading it for ever', async () => {
    for (const sendChildShards of [true, false]) {
      const world = new World({ sendChildShards })
      const log = new CallLog(world)
      const reads: number[] = []
      world.kinesis.intercept = ({ name, shardId: id }) => {
        if (id === PARENT && name !== 'listShards') reads.push(world.clock.monotonicMs())
      }
      const member = await log.startWorker()
      putIntoAll(world, 3)
      await world.untilDelivered()
      world.kinesis.split(STREAM, PARENT)
      putIntoAll(world, 3)
      world.kinesis.expireShard(STREAM, PARENT)
      const goneAtMs = world.clock.monotonicMs()
      await world.untilDelivered(30_000)
      await world.clock.advance(120_000)
      expect(log.lines({ shardId: PARENT, method: 'shardEnded' })).to.deep.equal(['shardEnded'])
      expect(member.events('shard:ended').map(({ shardId: id }) => id)).to.deep.equal([PARENT])
      expect(reads.filter(atMs => atMs >= goneAtMs).length).to.be.within(1, 5)
      expectOnce(world)
      await world.stopAll()
    }
  })

  // In KCL every shard of a stream that was deleted ends; here that is an error, because nothing says that all was read.
  it('S13: does not come for a stream that was deleted: the worker ends with an error and calls nothing any more', async () => {
    const world = new World({ shards: 3 })
    const log = new CallLog(world)
    const member = await log.startWorker()
    putIntoAll(world, 2)
    await world.untilDelivered()
    let calls = 0
    world.kinesis.intercept = () => {
      calls += 1
    }
    world.kinesis.deleteStream(STREAM)
    const error = await world.await(member.worker.finished.catch((reason: unknown) => reason))
    expect(error).to.include({ code: 'SERVICE', kind: 'not-found' })
    expect(calls).to.be.lessThan(60)
    calls = 0
    await world.clock.advance(600_000)
    expect(calls).to.equal(0)
    expect(log.lines({ method: 'shardEnded' })).to.deep.equal([])
    const { leases } = await world.store.list()
    expect(leases.filter(({ checkpoint }) => checkpoint.sequenceNumber === 'SHARD_END')).to.deep.equal([])
  })

  it('S17: without a row of its own is a lost lease, which is brought back and ended by the next run', async () => {
    for (const seed of seeds(5)) {
      const world = new World({ shards: 2, seed, latencyMs: 20 })
      const log = new CallLog(world)
      let removals = 0
      await log.startWorker({
        processRecords: ({ checkpointer }) => checkpointer.checkpoint(),
        shardEnded: async ({ shardId: id, checkpointer }) => {
          if (removals++ === 0) await remove(world, id)
          await checkpointer.checkpoint().catch(() => {})
        }
      })
      putIntoAll(world, 2)
      world.kinesis.merge(STREAM, PARENT, OTHER)
      putIntoAll(world, 2)
      await world.untilDelivered(60_000)
      await world.clock.advance(30_000)
      const victim = log.which({ method: 'shardEnded' })[0]?.shardId ?? ''
      const lines = log.lines({ shardId: victim }).map(line => line.split(' ')[0])
      expect(lines.slice(0, 4), `SEED=${seed}`).to.deep.equal([
        'initialize',
        'processRecords',
        'shardEnded',
        'leaseLost'
      ])
      // Its records come again only if the end of the other parent made the row anew before this worker brought it back.
      const again = lines.slice(4).filter(line => line !== 'processRecords')
      expect(again, `SEED=${seed}`).to.deep.equal(['initialize', 'shardEnded'])
      expect(
        landmarks(world).filter(line => line === '2 created'),
        `SEED=${seed}`
      ).to.have.length(1)
      expectInOrder(world)
      expect(
        world.ledger.duplicates().every(({ shardId: id }) => id === victim),
        `SEED=${seed}`
      ).to.equal(true)
      await world.stopAll()
    }
  })

  it('S17: and everything else is found by ARN, on every call, GetRecords too', async () => {
    const world = new World({ shards: 2 })
    const streamArn = `arn:aws:kinesis:us-east-1:000000000000:stream/${STREAM}`
    const clients: StubKinesisClient[] = []
    throughPort(world, port => {
      const client = new StubKinesisClient(port, 1)
      clients.push(client)
      return sdkKinesis({ stream: { streamArn }, client: client.asClient, clock: world.clock })
    })
    await world.startWorker()
    putIntoAll(world, 2)
    world.kinesis.merge(STREAM, PARENT, OTHER)
    putIntoAll(world, 2)
    await world.untilDelivered(60_000)
    expectOnce(world)
    const commands = clients.flatMap(client => client.commands)
    expect(new Set(commands.map(({ name }) => name))).to.deep.equal(
      new Set(['DescribeStreamSummary', 'ListShards', 'GetShardIterator', 'GetRecords'])
    )
    expect(commands.filter(({ input }) => input.StreamARN !== streamArn || 'StreamName' in input)).to.deep.equal([])
    await world.stopAll()
  })
})
