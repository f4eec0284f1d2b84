import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import type { ModeChange, Retrieved } from '../../src/retrieval/retriever.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { type FakeCall, FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { type RetrievalOptions, resolveRetrieval } from '../../src/worker/retrieval-options.ts'
import { budgetOf, ShardRetrievers } from '../../src/worker/shard-retrievers.ts'
import { aLease, shardId } from '../support/builders.ts'

const STREAM = 'orders'

/** The retrievers of a worker, on a stream of two shards. */
function aWorld(retrieval: RetrievalOptions, startAt: Date | 'LATEST' = 'LATEST') {
  const clock = new VirtualClock()
  const kinesis = new FakeKinesis({ clock })
  kinesis.createStream(STREAM, 2)
  const calls: FakeCall[] = []
  const world = { clock, kinesis, calls, changes: [] as ModeChange[], retries: 0, refuse: (_: FakeCall) => {} }
  kinesis.intercept = call => {
    calls.push(call)
    world.refuse(call)
  }
  const resolved = resolveRetrieval(retrieval, 'indexer')
  const retrievers = new ShardRetrievers({
    ...{ retrieval: resolved, budget: budgetOf(resolved), startAt },
    kinesis: kinesis.port(STREAM),
    fanOut: retrieval.mode === 'fan-out' ? kinesis.fanOut(STREAM) : undefined,
    clock,
    random: seededRandom(1)
  })
  const listener = {
    onRead: () => {},
    onRetry: () => {
      world.retries += 1
    },
    onModeChange: (change: ModeChange) => void world.changes.push(change)
  }
  const open = (number: number, lease = {}) =>
    retrievers.open(aLease({ leaseKey: shardId(number), shardId: shardId(number), ...lease }), listener)
  const next = async (retriever: ReturnType<typeof open>): Promise<string[]> => {
    let retrieved: Retrieved | undefined
    void retriever.next(new AbortController().signal).then(it => {
      retrieved = it
    })
    await clock.advanceUntil(() => retrieved !== undefined, 120_000)
    if (retrieved?.kind !== 'records') return ['the end']
    retrieved.release()
    return retrieved.records.map(({ data }) => new TextDecoder().decode(data))
  }
  const put = (text: string): void => void kinesis.put(STREAM, 'key', text, { explicitHashKey: '0' })
  return { ...world, world, retrievers, open, next, put, named: () => new Set(calls.map(({ name }) => name)) }
}

const TRIM_HORIZON = { checkpoint: { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 } }

describe('ShardRetrievers', () => {
  it('polls from the checkpoint of the lease on', async () => {
    const { open, next, put, named, retrievers } = aWorld({})
    put('a')
    const retriever = open(0, TRIM_HORIZON)
    expect(await next(retriever)).to.deep.equal(['a'])
    expect([...named()]).to.deep.equal(['getShardIterator', 'getRecords'])
    retriever.close()
    retrievers.close()
  })

  it('begins at the time of the options where the lease stands for it', async () => {
    const { open, clock, next, put, calls } = aWorld({}, new Date(5_000))
    await clock.advance(10_000)
    const retriever = open(0, { checkpoint: { sequenceNumber: 'AT_TIMESTAMP', subSequenceNumber: 0 } })
    put('a')
    await next(retriever)
    expect(calls[0]?.start).to.deep.equal({ type: 'AT_TIMESTAMP', timestampMs: 5_000 })
    retriever.close()
  })

  it('lets the shards of a worker share one budget', async () => {
    const { open, kinesis, clock } = aWorld({ maxBufferedBytes: 1_048_576, maxShardBufferedBytes: 1_048_576 })
    const payload = 'x'.repeat(300_000)
    for (const number of [0, 1]) {
      for (let i = 0; i < 6; i++)
        kinesis.put(STREAM, 'key', payload, { explicitHashKey: number === 0 ? '0' : 2n ** 127n })
    }
    const retrievers = [open(0, TRIM_HORIZON), open(1, TRIM_HORIZON)]
    const held: number[] = []
    for (const retriever of retrievers) {
      for (let round = 0; round < 2; round++) {
        // Not released: nothing is processed.
        void retriever.next(new AbortController().signal).then(it => it.kind === 'records' && held.push(it.bytes))
        await clock.advance(10_000)
      }
    }
    expect(held.length).to.be.within(2, 3)
    expect(held.reduce((sum, bytes) => sum + bytes, 0)).to.be.at.most(1_048_576)
    for (const retriever of retrievers) retriever.close()
  })

  it('has records pushed to a consumer named like the application, registered once for all shards', async () => {
    const { open, next, put, calls, retrievers, changes, clock } = aWorld({ mode: 'fan-out' })
    const retrieversOfShards = [open(0, TRIM_HORIZON), open(1, TRIM_HORIZON)]
    const waiting = retrieversOfShards[1]?.next(new AbortController().signal)
    put('a')
    expect(await next(retrieversOfShards[0] as never)).to.deep.equal(['a'])
    await clock.advance(10_000)
    const names = calls.map(({ name }) => name)
    expect(names.filter(name => name === 'registerConsumer')).to.have.length(1)
    expect(names.filter(name => name === 'subscribeToShard')).to.have.length(2)
    expect(names).to.not.include('getRecords')
    expect(changes).to.deep.equal([])
    for (const retriever of retrieversOfShards) retriever.close()
    retrievers.close()
    await waiting?.catch(() => {})
  })

  it('polls where fan-out is not allowed, and says so', async () => {
    const { open, next, put, world, changes } = aWorld({ mode: 'fan-out' })
    world.refuse = ({ name }) => {
      if (name.endsWith('Consumer')) throw new ServiceError('access-denied', 'not allowed', { retryable: false })
    }
    const retriever = open(0, TRIM_HORIZON)
    put('a')
    expect(await next(retriever)).to.deep.equal(['a'])
    expect(changes.map(({ mode }) => mode)).to.deep.equal(['polling'])
    expect(changes[0]?.error).to.include({ kind: 'access-denied' })
    retriever.close()
  })

  it('tries fan-out again and again where there is nothing to fall back on', async () => {
    const { open, clock, put, world, changes, named, next } = aWorld({ mode: 'fan-out', fallback: 'none' })
    world.refuse = ({ name }) => {
      if (name.endsWith('Consumer')) throw new ServiceError('access-denied', 'not allowed', { retryable: false })
    }
    const retriever = open(0, TRIM_HORIZON)
    const reading = next(retriever)
    put('a')
    await clock.advance(60_000)
    expect(world.retries).to.be.greaterThan(2)
    world.refuse = () => {}
    expect(await reading).to.deep.equal(['a'])
    expect(changes).to.deep.equal([])
    expect([...named()]).to.not.include('getRecords')
    retriever.close()
  })
})
