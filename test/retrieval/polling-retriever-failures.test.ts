// What a PollingRetriever does when iterators expire, starts are refused and calls fail.
import { expect } from 'chai'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import type { ReadStart } from '../../src/retrieval/read-rules.ts'
import type { FakeCall } from '../../src/testing/fake-kinesis.ts'
import { RetrieverWorld, SIX_MINUTES, STREAM } from './retriever-world.ts'

/** Throws once, at the first call of that name. */
function once(name: FakeCall['name'], error: Error): (call: FakeCall) => void {
  let isDue = true
  return call => {
    if (call.name !== name || !isDue) return
    isDue = false
    throw error
  }
}

const expired = () => new ServiceError('expired-iterator', 'too old', { retryable: false })

describe('PollingRetriever', () => {
  describe('an iterator that has expired', () => {
    it('before the first record is renewed at the very place, inside an aggregate too', async () => {
      let at = ''
      const world = new RetrieverWorld(({ kinesis }) => {
        at = kinesis.put(STREAM, 'key', 'aggregate').sequenceNumber
        return { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: at }
      })
      world.fault = once('getRecords', expired())
      expect(await world.next()).to.equal('aggregate')
      const start = { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: at }
      expect(world.starts()).to.deep.equal([start, start])
    })

    it('before the first record is renewed at the time that LATEST was pinned to: nothing is lost', async () => {
      const world = new RetrieverWorld(({ clock }) => ({ type: 'AT_TIMESTAMP', timestampMs: clock.epochMs() }))
      world.fault = once('getRecords', expired())
      const next = world.next()
      world.put('a')
      expect(await next).to.equal('a')
    })

    it('after records is renewed after the last of them', async () => {
      const world = new RetrieverWorld()
      const [, b = ''] = world.put('a', 'b')
      expect(await world.next()).to.equal('a b')
      await world.clock.advance(5_000)
      world.fault = () => world.clock.sleep(0)
      await world.clock.advance(SIX_MINUTES)
      world.put('c')
      expect(await world.next()).to.equal('c')
      expect(world.starts().at(-1)).to.deep.equal({ type: 'TRIM_HORIZON' })
      world.put('d')
      world.fault = once('getRecords', expired())
      expect(await world.next()).to.equal('d')
      expect(world.starts().at(-1)).to.include({ type: 'AFTER_SEQUENCE_NUMBER' })
      expect(b).to.not.equal('')
    })

    it('because nobody fetched for six minutes loses and repeats nothing', async () => {
      const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, { maxRecords: 2 })
      world.put('a', 'b', 'c', 'd', 'e', 'f', 'g')
      const seen: string[] = []
      for (let turn = 0; turn < 4; turn++) {
        seen.push(await world.next())
        await world.clock.advance(SIX_MINUTES)
      }
      expect(seen).to.deep.equal(['a b', 'c d', 'e f', 'g'])
    })

    it('is told as a failure that passes', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      world.fault = once('getRecords', expired())
      await world.next()
      expect(world.retries).to.have.length(1)
      expect(world.retries[0]?.retryInMs).to.be.within(125, 250)
    })
  })

  describe('a start in the future of the service', () => {
    const ahead =
      (ms: number) =>
      ({ clock }: RetrieverWorld): ReadStart => ({ type: 'AT_TIMESTAMP', timestampMs: clock.epochMs() + ms })
    const backFrom = (world: RetrieverWorld, fromMs: number): number[] =>
      world.starts().map(start => fromMs - (start && 'timestampMs' in start ? start.timestampMs : 0))

    it('is moved back until the service takes it', async () => {
      const world = new RetrieverWorld(ahead(5_000))
      const fromMs = world.clock.epochMs() + 5_000
      const next = world.next()
      await world.clock.advance(1_000)
      world.put('a')
      expect(await next).to.equal('a')
      expect(backFrom(world, fromMs)).to.deep.equal([0, 1_000, 2_000, 4_000])
    })

    it('skips nothing that comes while it is found out, however near it is', async () => {
      for (const ms of [1, 10, 50, 100, 300, 900, 5_000, 60_000]) {
        const world = new RetrieverWorld(ahead(ms))
        const fromMs = world.clock.epochMs() + ms
        const wanted: string[] = []
        const put = (text: string): void => {
          if (world.clock.epochMs() >= fromMs) wanted.push(text)
          world.put(text)
        }
        let asked = 0
        world.fault = async ({ name }) => {
          if (name !== 'getShardIterator') return
          await world.clock.sleep(20)
          put(`asked-${++asked}`)
        }
        void world.clock.sleep(ms + 200).then(() => put('last'))
        const seen: string[] = []
        while (seen.at(-1) !== 'last') seen.push(...(await world.next()).split(' '))
        expect(seen, `${ms} ms ahead`).to.include.members(wanted)
        expect(wanted, `${ms} ms ahead`).to.include('last')
      }
    })

    it('stays where it was found, for when the iterator expires or cannot be had for a while', async () => {
      const world = new RetrieverWorld(ahead(3_000))
      const fromMs = world.clock.epochMs() + 3_000
      world.fault = once('getRecords', expired())
      const next = world.next()
      await world.clock.advance(20_000)
      world.put('a')
      expect(await next).to.equal('a')
      expect(backFrom(world, fromMs)).to.deep.equal([0, 1_000, 2_000, 4_000, 4_000])
    })
  })

  describe('a call that fails', () => {
    it('because the line is too slow for so many records is made again for fewer, then for more', async () => {
      const world = new RetrieverWorld()
      const limits: (number | undefined)[] = []
      world.fault = ({ name, limit = 0 }) => {
        if (name !== 'getRecords') return undefined
        limits.push(limit)
        return limit > 300 ? new Promise<void>(() => {}) : undefined
      }
      world.put(...Array.from({ length: 1_000 }, (_, i) => String(i)))
      const first = await world.next()
      expect(first.split(' ')).to.have.length(250)
      expect(limits).to.deep.equal([1_000, 500, 250])
      world.fault = () => {}
      const seen = first.split(' ')
      while (seen.length < 1_000) seen.push(...(await world.next()).split(' '))
      expect(seen).to.deep.equal(Array.from({ length: 1_000 }, (_, i) => String(i)))
    })

    it('because of throttling is made again with growing delays, which start over after a success', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      let failures = 0
      world.fault = ({ name }) => {
        if (name === 'getRecords' && ++failures <= 8) throw new ThrottledError('slow down')
      }
      expect(await world.next()).to.equal('a')
      const full = [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000]
      expect(world.retries).to.have.length(8)
      // The pace of a shard that refuses may be slower than the delay after the first failures.
      for (const [index, { retryInMs }] of world.retries.entries()) {
        const most = full[index] ?? 0
        expect(retryInMs).to.be.within(most / 2, Math.max(most, 2_100))
      }
      world.put('b')
      world.fault = once('getRecords', new ThrottledError('slow down'))
      expect(await world.next()).to.equal('b')
      expect(world.retries.at(-1)?.retryInMs).to.be.at.most(2_100)
    })

    it('when the very first iterator is asked for is made again', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      world.fault = once('getShardIterator', new ServiceError('other', 'internal failure', { retryable: true }))
      expect(await world.next()).to.equal('a')
    })

    it('because it hangs is cut off and made again', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      let isDue = true
      world.fault = () => {
        if (!isDue) return undefined
        isDue = false
        return new Promise<void>(() => {})
      }
      expect(await world.next()).to.equal('a')
      expect(world.retries).to.have.length(1)
    })

    it('for good is believed after some tries, and then goes on rejecting without another', async () => {
      const world = new RetrieverWorld()
      const denied = new ServiceError('access-denied', 'not allowed', { retryable: false })
      world.fault = () => {
        throw denied
      }
      expect(await world.next().catch((error: unknown) => error)).to.equal(denied)
      expect(world.calls).to.have.length(5)
      expect(world.retries).to.have.length(4)
      expect(await world.next().catch((error: unknown) => error)).to.equal(denied)
      expect(world.calls).to.have.length(5)
    })

    it('for a moment, as if for good, is made again: failures that do not follow one another do not add up', async () => {
      const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, { maxRecords: 1 })
      world.put('a', 'b', 'c')
      let calls = 0
      world.fault = ({ name }) => {
        if (name === 'getRecords' && ++calls % 4 !== 0)
          throw new ServiceError('access-denied', 'not allowed', { retryable: false })
      }
      for (const text of ['a', 'b', 'c']) expect(await world.next()).to.equal(text)
    })

    it('for good while reading ahead hands on what was read before', async () => {
      const world = new RetrieverWorld()
      world.put('a')
      const denied = new ServiceError('access-denied', 'not allowed', { retryable: false })
      let reads = 0
      world.fault = ({ name }) => {
        if (name === 'getRecords' && ++reads > 1) throw denied
      }
      expect(await world.next()).to.equal('a')
      await world.clock.advance(60_000)
      expect(await world.next().catch((error: unknown) => error)).to.equal(denied)
    })

    it('because the start is refused for good rejects', async () => {
      const world = new RetrieverWorld({ type: 'AT_SEQUENCE_NUMBER', sequenceNumber: '7' })
      const failure = await world.next().catch((error: unknown) => error)
      expect(failure).to.be.instanceOf(ServiceError).and.include({ kind: 'invalid-argument' })
    })

    it('again and again never makes a tight loop', async () => {
      for (const kind of ['expired-iterator', 'invalid-argument'] as const) {
        const world = new RetrieverWorld()
        world.fault = ({ name }) => {
          if (name === 'getRecords') throw new ServiceError(kind, 'no', { retryable: false })
        }
        void world.retriever.next(new AbortController().signal)
        await world.clock.advance(60_000)
        expect(world.calls.length, kind).to.be.within(10, 40)
      }
    })
  })

  it('reads again, and skips nothing, if whoever is told of a read throws', async () => {
    let told = 0
    const world = new RetrieverWorld(undefined, {
      listener: {
        onRead: () => {
          if (++told === 1) throw new Error('the log is closed')
        },
        onRetry: () => {}
      }
    })
    world.put('a', 'b')
    expect(await world.next().catch(() => world.next())).to.equal('a b')
  })

  it('does not add up refusals of iterators between which it read', async () => {
    const world = new RetrieverWorld({ type: 'TRIM_HORIZON' }, { maxRecords: 1 })
    const texts = Array.from({ length: 12 }, (_, i) => String(i))
    world.put(...texts)
    let isStale = true
    world.fault = ({ name }) => {
      if (name === 'getShardIterator') isStale = false
      if (name !== 'getRecords') return
      if (isStale) throw new ServiceError('invalid-argument', 'no', { retryable: false })
      isStale = true
    }
    for (const text of texts) expect(await world.next()).to.equal(text)
  })

  it('believes at last that an iterator it has just opened is refused', async () => {
    const world = new RetrieverWorld()
    world.fault = ({ name }) => {
      if (name === 'getRecords') throw new ServiceError('invalid-argument', 'no', { retryable: false })
    }
    expect(await world.next().catch(error => error)).to.be.instanceOf(ServiceError)
  })
})
