import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import type { RecordsAnswer } from '../../src/model/records-answer.ts'
import { shardId } from '../support/builders.ts'
import { RetrieverWorld, SHARD, STREAM } from './retriever-world.ts'

describe('PollingRetriever', () => {
  it('hands on what is in the shard, in order, and waits for what comes', async () => {
    const world = new RetrieverWorld()
    world.put('a', 'b')
    expect(await world.next()).to.equal('a b')
    const later = world.next()
    await world.clock.advance(3_000)
    world.put('c')
    expect(await later).to.equal('c')
    expect(world.names().filter(name => name === 'getShardIterator')).to.have.length(1)
  })

  it('reads ahead by one answer and no more, however long nobody fetches it', async () => {
    const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, { maxRecords: 2 })
    world.put('a', 'b', 'c', 'd', 'e', 'f')
    expect(await world.next()).to.equal('a b')
    await world.clock.advance(60_000)
    expect(world.reports).to.have.length(2)
    expect(await world.next()).to.equal('c d')
    await world.clock.advance(60_000)
    expect(world.reports).to.have.length(3)
  })

  it('does nothing before it is asked', async () => {
    const world = new RetrieverWorld()
    await world.clock.advance(10_000)
    expect(world.calls).to.deep.equal([])
  })

  it('reports every read, empty ones too', async () => {
    const world = new RetrieverWorld()
    world.put('ab')
    await world.next()
    await world.clock.advance(2_500)
    const empty = { records: 0, bytes: 0, millisBehindLatest: 0 }
    expect(world.reports).to.deep.equal([{ records: 1, bytes: 2, millisBehindLatest: 0 }, empty, empty])
  })

  describe('pacing', () => {
    it('waits the idle time between reads at the tip', async () => {
      const world = new RetrieverWorld()
      void world.retriever.next(new AbortController().signal)
      await world.clock.advance(10_500)
      const reads = world.calls.filter(({ name }) => name === 'getRecords').map(({ atMs }) => atMs)
      expect(reads).to.deep.equal([0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000])
    })

    it('reads on at once after a full answer, even from a service that always says it is at the tip', async () => {
      const world = new RetrieverWorld(undefined, { maxRecords: 2, idleMs: 10_000 }, undefined, answer => ({
        ...answer,
        millisBehindLatest: 0
      }))
      world.put('a', 'b', 'c')
      expect([await world.next(), await world.next()]).to.deep.equal(['a b', 'c'])
      expect(world.clock.monotonicMs()).to.be.lessThan(2_000)
    })

    it('catches up as fast as the limits of the shard allow, and is never throttled', async () => {
      const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, { maxRecords: 1 })
      const put = world.put(...Array.from({ length: 40 }, (_, index) => `${index}`))
      for (const [index] of put.entries()) expect(await world.next()).to.equal(`${index}`)
      expect(world.retries).to.deep.equal([])
      expect(world.clock.monotonicMs()).to.be.within(7_000, 8_000)
    })

    it('keeps to 2 MB a second, and is never throttled', async () => {
      const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, { maxRecords: 3 })
      const big = 'x'.repeat(1_000_000)
      world.put(...Array.from({ length: 24 }, () => big))
      for (let read = 0; read < 8; read++) await world.next()
      expect(world.retries).to.deep.equal([])
      expect(world.clock.monotonicMs()).to.be.within(9_000, 13_000)
    })
  })

  describe('the end of the shard', () => {
    it('comes after the last records, with the children', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      world.kinesis.split(STREAM, SHARD)
      expect(await world.next()).to.equal('a')
      const end = await world.retriever.next(new AbortController().signal)
      expect(end.kind).to.equal('end')
      expect(end.kind === 'end' && end.childShards?.map(child => child.shardId)).to.deep.equal([shardId(1), shardId(2)])
      expect(await world.next()).to.equal('end')
    })

    it('comes as an answer of its own where the shard ends while nothing is in it', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      expect(await world.next()).to.equal('a')
      await world.clock.advance(2_500)
      world.kinesis.split(STREAM, SHARD)
      expect(await world.next()).to.equal('end')
    })

    it('has no children where the service sends none', async () => {
      const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, {}, { sendChildShards: false })
      world.kinesis.split(STREAM, SHARD)
      expect(await world.next()).to.equal('end')
      expect(await world.retriever.next(new AbortController().signal)).to.deep.equal({ kind: 'end' })
    })

    it('without children is believed only when a read from the last position, opened anew, says so too', async () => {
      const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, {}, { sendChildShards: false })
      const [, b = ''] = world.put('a', 'b')
      world.kinesis.split(STREAM, SHARD)
      expect(await world.next()).to.equal('a b')
      expect(await world.next()).to.equal('end')
      expect(world.starts()).to.deep.equal([
        { type: 'TRIM_HORIZON' },
        { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: b }
      ])
      expect(world.retries).to.deep.equal([])
    })

    it('that an odd answer says skips nothing, be it with records or without', async () => {
      let odd = 0
      const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, { maxRecords: 1 }, undefined, answer => {
        if (odd++ % 2 === 1) return answer
        const { nextIterator: _, ...end } = answer
        return end
      })
      world.put('a', 'b', 'c', 'd')
      for (const text of ['a', 'b', 'c', 'd']) expect(await world.next()).to.equal(text)
      // Said again and again, it is reported; whoever is told looks at the shard, and has it read on.
      expect(await world.next()).to.equal('end')
      world.retriever.continueAfterEnd()
      world.put('e')
      expect(await world.next()).to.equal('e')
    })

    it('without children is believed where only the second answer after the last record says so', async () => {
      const read = new Set<string>()
      const lazy = (answer: RecordsAnswer, iterator: string): RecordsAnswer => {
        const isLate = answer.records.length === 0 && !read.has(iterator)
        read.add(iterator)
        return answer.nextIterator === undefined && isLate ? { ...answer, nextIterator: iterator } : answer
      }
      const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, {}, { sendChildShards: false }, lazy)
      world.put('a', 'b')
      world.kinesis.split(STREAM, SHARD)
      expect(await world.next()).to.equal('a b')
      expect(await world.next()).to.equal('end')
      expect(world.names().filter(name => name === 'getShardIterator')).to.have.length(2)
    })

    it('without children is not believed for long, nor after records', async () => {
      let reads = 0
      const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, {}, undefined, answer => {
        const { nextIterator: _, ...end } = answer
        return reads++ % 4 === 0 ? end : answer
      })
      const later = world.next()
      await world.clock.advance(60_000)
      expect(reads).to.be.greaterThan(20)
      world.put('a')
      expect(await later).to.equal('a')
    })

    it('with children is believed at once', async () => {
      const world = new RetrieverWorld()
      world.kinesis.split(STREAM, SHARD)
      expect(await world.next()).to.equal('end')
      expect(world.names()).to.deep.equal(['getShardIterator', 'getRecords'])
    })

    it('is reported for a shard, or a stream, that does not exist any more', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      await world.next()
      world.kinesis.split(STREAM, SHARD)
      world.kinesis.expireShard(STREAM, SHARD)
      expect(await world.next()).to.equal('end')
      world.kinesis.deleteStream(STREAM)
      world.retriever.continueAfterEnd()
      expect(await world.next()).to.equal('end')
    })

    it('that is none is read past, from the last position and not in a tight loop', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      world.kinesis.split(STREAM, SHARD)
      expect(await world.next()).to.equal('a')
      for (let turn = 0; turn < 5; turn++) {
        expect(await world.next()).to.equal('end')
        world.retriever.continueAfterEnd()
      }
      expect(
        world
          .starts()
          .slice(1)
          .every(start => start?.type === 'AFTER_SEQUENCE_NUMBER')
      ).to.equal(true)
      expect(world.clock.monotonicMs()).to.be.at.least(4_000)
      expect(world.retries).to.deep.equal([])
    })
  })

  describe('next', () => {
    it('that is aborted loses nothing: the next call is given what was being read', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      await world.next()
      for (let turn = 0; turn < 3; turn++) {
        const abort = new AbortController()
        const aborted = world.retriever.next(abort.signal).catch((error: unknown) => error)
        await world.clock.advance(300)
        abort.abort(new Error('enough'))
        expect(await aborted)
          .to.be.an('error')
          .with.property('message', 'enough')
      }
      world.put('b')
      expect(await world.next()).to.equal('b')
      expect(world.names().filter(name => name === 'getShardIterator')).to.have.length(1)
    })

    it('with a signal that has aborted rejects at once and keeps what is there', async () => {
      const world = new RetrieverWorld()
      world.put('a', 'b')
      expect(await world.next()).to.equal('a b')
      world.put('c')
      await world.clock.advance(2_500)
      const calls = world.calls.length
      const failure = await world.retriever
        .next(AbortSignal.abort(new Error('enough')))
        .catch((error: unknown) => error)
      expect(failure).to.have.property('message', 'enough')
      expect(world.calls).to.have.length(calls)
      expect(await world.next()).to.equal('c')
    })

    it('rejects once the retriever is closed, and no call is made after that', async () => {
      const world = new RetrieverWorld()
      const next = world.retriever.next(new AbortController().signal).catch((error: unknown) => error)
      await world.clock.advance(1_500)
      world.retriever.close()
      expect(await next).to.be.instanceOf(ServiceError)
      const calls = world.calls.length
      await world.clock.advance(60_000)
      expect(world.calls).to.have.length(calls)
      expect(world.clock.sleeping).to.equal(0)
    })
  })
})
