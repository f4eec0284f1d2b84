// User code that throws, rejects, hangs or returns too late: nothing is skipped, and the other shards go on.
import { expect } from 'chai'
import { LeaseLostError, ProcessorError, type ProcessRecordsInput, RecordProcessor } from '../../src/index.ts'
import type { Handler } from '../../src/processor/handler-processor.ts'
import { type Member, STREAM, World, type WorldWorkerOptions } from '../support/world.ts'

const FAST = { onProcessorError: { attempts: 4, backoffMs: 100, maxBackoffMs: 1_000 } }
const POISON = 7

/** Throws whenever record 7 is in the batch. */
const poisoned =
  (fail: () => void | Promise<void>): Handler =>
  async records => {
    if (records.some(record => record.text() === String(POISON))) await fail()
  }

/** Two shards; the poison and everything else of its key is in one of them. */
function aPoisonedWorld(): { world: World; poisonShard: string; firstOfShard: number[] } {
  const world = new World({ shards: 2 })
  world.putMany(20)
  const of = (shardId: string): number[] =>
    world.kinesis.records(STREAM, shardId).map(({ data }) => Number(new TextDecoder().decode(data)))
  const poisonShard = world.kinesis.shards(STREAM).find(({ shardId }) => of(shardId).includes(POISON))?.shardId ?? ''
  return { world, poisonShard, firstOfShard: of(poisonShard) }
}

async function startWith(world: World, options: WorldWorkerOptions): Promise<Member> {
  return world.startWorker({ ...FAST, retrieval: { maxRecords: 1 }, ...options })
}

describe('a processor that fails', () => {
  for (const [how, fail] of [
    [
      'throws',
      () => {
        throw new Error('poison')
      }
    ],
    ['rejects', () => Promise.reject(new Error('poison'))]
  ] as const) {
    it(`that ${how} halts its shard before the poison, while the others go on and nothing is skipped`, async () => {
      const { world, poisonShard, firstOfShard } = aPoisonedWorld()
      const member = await startWith(world, { handler: poisoned(fail) })
      await world.clock.advance(60_000)
      expect(member.events('processor:failed').map(({ attempt }) => attempt)).to.deep.equal([1, 2, 3, 4])
      const [halted] = member.events('shard:halted')
      expect(halted?.shardId).to.equal(poisonShard)
      expect(halted?.error).to.be.instanceOf(ProcessorError)

      const poisonAt = firstOfShard.indexOf(POISON)
      const before = world.kinesis.records(STREAM, poisonShard)[poisonAt - 1]
      const row = await world.store.get(poisonShard)
      expect(row?.checkpoint.sequenceNumber).to.equal(before?.sequenceNumber ?? 'TRIM_HORIZON')
      expect(row?.owner).to.not.equal(undefined)
      expect(world.ledger.missing()).to.deep.equal(firstOfShard.slice(poisonAt + 1))

      for (let i = 0; i < 20; i++) world.put(`key-${i}`)
      await world.clock.advance(20_000)
      const elsewhere = world.ledger.deliveries.filter(({ id, shardId }) => id >= 20 && shardId !== poisonShard)
      expect(elsewhere.length).to.be.greaterThan(0)
      expect(member.events('shard:halted')).to.have.length(1)

      // Whoever is deployed with the bug fixed goes on exactly there.
      await world.stopAll()
      const seen = world.ledger.deliveries.length
      await world.startWorker()
      await world.untilDelivered()
      const goneOn = world.ledger.deliveries.slice(seen).find(({ shardId }) => shardId === poisonShard)
      expect(goneOn?.id).to.equal(POISON)
      expect(world.ledger.outOfOrder()).to.deep.equal([])
      await world.stopAll()
    })
  }

  it('gets the same records again until the failure passes, and is told how often it has failed', async () => {
    const world = new World()
    const calls: { texts: string[]; failures: number }[] = []
    await world.startWorker({
      ...FAST,
      handler: (records, { failures }) => {
        calls.push({ texts: records.map(record => record.text()), failures })
        if (calls.length < 3) throw new Error('not yet')
      }
    })
    world.putMany(3)
    await world.clock.advance(10_000)
    const texts = ['0', '1', '2']
    expect(calls).to.deep.equal([0, 1, 2].map(failures => ({ texts, failures })))
    const last = world.kinesis.records(STREAM, 'shardId-000000000000').at(-1)
    expect((await world.store.list()).leases[0]?.checkpoint.sequenceNumber).to.equal(last?.sequenceNumber)
    await world.stopAll()
  })

  it('that never returns keeps its lease and stops nobody else', async () => {
    const { world, poisonShard, firstOfShard } = aPoisonedWorld()
    const member = await startWith(world, { handler: poisoned(() => new Promise(() => {})) })
    for (let i = 0; i < 20; i++) world.put(`key-${i}`)
    await world.clock.advance(120_000)
    expect(member.worker.shardIds).to.have.length(2)
    expect(member.events('lease:lost')).to.deep.equal([])
    const missing = world.ledger.missing()
    const poisoned_ = world.kinesis
      .records(STREAM, poisonShard)
      .map(({ data }) => Number(new TextDecoder().decode(data)))
    expect(missing).to.deep.equal(poisoned_.slice(firstOfShard.indexOf(POISON) + 1))
    await world.stopAll()
  })

  it('that never returns does not hold up stop beyond its grace, and its lease is free for others at once', async () => {
    const { world, poisonShard } = aPoisonedWorld()
    const release: (() => void)[] = []
    const late: unknown[] = []
    class Hung extends RecordProcessor {
      async processRecords({ records, checkpointer, shardId, signal }: ProcessRecordsInput): Promise<void> {
        member.note(records, shardId)
        if (records.some(record => record.text() === String(POISON))) {
          await new Promise<void>(resolve => release.push(resolve))
          late.push(signal.aborted)
        }
        late.push(await checkpointer.checkpoint().catch((error: unknown) => error))
      }
    }
    const member: Member = await startWith(world, { processor: () => new Hung() })
    await world.clock.advance(20_000)
    late.length = 0
    const before = (await world.store.get(poisonShard))?.checkpoint
    const stoppingAtMs = world.clock.monotonicMs()
    await world.await(member.worker.stop({ graceMs: 5_000 }))
    expect(world.clock.monotonicMs() - stoppingAtMs).to.be.within(5_000, 5_100)
    expect(member.events('worker:stopped')[0]?.abandoned).to.deep.equal([poisonShard])
    expect((await world.store.get(poisonShard))?.owner).to.equal(undefined)

    const other = await world.startWorker()
    await world.clock.advance(15_000)
    expect(other.worker.shardIds).to.include(poisonShard)
    for (const resolve of release) resolve()
    await world.clock.advance(1_000)
    expect(late[0]).to.equal(true)
    expect(late[1]).to.be.instanceOf(LeaseLostError)
    expect((await world.store.get(poisonShard))?.owner).to.match(/^w2\//)
    await world.untilDelivered()
    expect(before?.sequenceNumber).to.not.equal('SHARD_END')
    expect(world.ledger.outOfOrder()).to.deep.equal([])
    await world.stopAll()
  })

  it('that returns after its lease was lost cannot checkpoint, and is told', async () => {
    const world = new World()
    world.putMany(5)
    const lost: string[] = []
    class Late extends RecordProcessor {
      async processRecords({ records, shardId, checkpointer, signal }: ProcessRecordsInput): Promise<void> {
        member.note(records, shardId)
        await member.clock.sleep(60_000)
        expect(signal.aborted).to.equal(true)
        await checkpointer.checkpoint()
      }
      override leaseLost({ shardId }: { shardId: string }): void {
        lost.push(shardId)
      }
    }
    const member: Member = await world.startWorker({ processor: () => new Late() })
    await world.clock.advance(6_000)
    member.links.store = 'down'
    await world.clock.advance(1_000)
    await world.startWorker()
    await world.clock.advance(90_000)
    member.links.store = 'up'
    await world.untilDelivered()
    await world.clock.advance(10_000)
    expect(lost).to.deep.equal(['shardId-000000000000'])
    expect((await world.store.get('shardId-000000000000'))?.owner).to.match(/^w2\//)
    await world.stopAll()
  })

  it("stops the whole worker with then: 'stop', and finished rejects with the ProcessorError", async () => {
    const { world, poisonShard } = aPoisonedWorld()
    const member = await startWith(world, {
      handler: poisoned(() => Promise.reject(new Error('poison'))),
      // biome-ignore lint/suspicious/noThenProperty: that is the name of the option
      onProcessorError: { ...FAST.onProcessorError, then: 'stop' }
    })
    const outcome = await world.await(member.worker.finished.catch((error: unknown) => error))
    expect(outcome).to.be.instanceOf(ProcessorError)
    expect(outcome).to.include({ shardId: poisonShard, method: 'processRecords', attempt: 4 })
    expect(member.worker.state).to.equal('stopped')
    const { leases } = await world.store.list()
    expect(leases.filter(({ owner }) => owner !== undefined)).to.deep.equal([])
    await world.await(member.worker.stop())
    expect(world.clock.sleeping).to.equal(0)
  })

  for (const method of ['initialize', 'shutdownRequested', 'leaseLost'] as const) {
    it(`in ${method} holds up neither the stop nor the other shards`, async () => {
      const world = new World({ shards: 2 })
      class Broken extends RecordProcessor {
        #shardId = ''
        override initialize({ shardId }: { shardId: string }): void {
          this.#shardId = shardId
          if (method === 'initialize' && this.#isFirst()) throw new Error('cannot')
        }
        processRecords({ records, shardId, checkpointer }: ProcessRecordsInput): Promise<void> {
          member.note(records, shardId)
          return checkpointer.checkpoint()
        }
        override async shutdownRequested(): Promise<void> {
          if (method === 'shutdownRequested' && this.#isFirst()) throw new Error('cannot')
        }
        override leaseLost(): void {
          if (method === 'leaseLost') throw new Error('cannot')
        }
        #isFirst(): boolean {
          return this.#shardId === 'shardId-000000000000'
        }
      }
      const member: Member = world.makeWorker({ ...FAST, processor: () => new Broken() })
      await world.await(member.worker.start())
      world.putMany(20)
      await world.clock.advance(10_000)
      expect(new Set(world.ledger.deliveries.map(({ shardId }) => shardId))).to.include('shardId-000000000001')
      const stoppingAtMs = world.clock.monotonicMs()
      await world.await(member.worker.stop())
      expect(world.clock.monotonicMs() - stoppingAtMs).to.be.lessThan(5_000)
      expect(world.clock.sleeping).to.equal(0)
      const { leases } = await world.store.list()
      expect(leases.filter(({ owner }) => owner !== undefined)).to.deep.equal([])
    })
  }
})
