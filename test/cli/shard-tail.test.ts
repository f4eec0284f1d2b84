import { expect } from 'chai'
import { tailShard } from '../../src/cli/shard-tail.ts'
import type { IteratorStart } from '../../src/kinesis/kinesis-port.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { whenOver } from '../support/when-over.ts'

const SHARD = 'shardId-000000000000'

describe('tailShard', () => {
  let clock: VirtualClock
  let kinesis: FakeKinesis
  let seen: string[]
  let retries: unknown[]
  let stop: AbortController

  beforeEach(() => {
    clock = new VirtualClock()
    kinesis = new FakeKinesis({ clock })
    kinesis.createStream('orders', 1)
    seen = []
    retries = []
    stop = new AbortController()
  })

  const put = (...texts: readonly string[]): void => {
    for (const text of texts) kinesis.put('orders', 'key', text)
  }
  const tail = (start: IteratorStart = { type: 'TRIM_HORIZON' }, follow = true) =>
    tailShard({
      ...{ kinesis: kinesis.port('orders'), shardId: SHARD, start, follow, clock, random: seededRandom(1) },
      signal: stop.signal,
      onRecords: async records => {
        seen.push(...records.map(record => record.text()))
      },
      onRetry: error => retries.push(error)
    })
  const outcome = (tailing: Promise<string>): Promise<string> => whenOver(clock, tailing)

  it('gives what is there, and what comes, until it is stopped', async () => {
    put('a', 'b')
    const tailing = tail()
    await clock.advance(2_000)
    put('c')
    await clock.advance(2_000)
    expect(seen).to.deep.equal(['a', 'b', 'c'])
    stop.abort()
    expect(await outcome(tailing)).to.equal('stopped')
  })

  it('ends at the tip if it is not to follow', async () => {
    put('a')
    expect(await outcome(tail({ type: 'TRIM_HORIZON' }, false))).to.equal('tip')
    expect(seen).to.deep.equal(['a'])
  })

  it('begins with what is new at LATEST', async () => {
    put('old')
    const tailing = tail({ type: 'LATEST' })
    await clock.advance(1_500)
    put('new')
    await clock.advance(1_500)
    expect(seen).to.deep.equal(['new'])
    stop.abort()
    await outcome(tailing)
  })

  it('ends with the shard', async () => {
    put('a')
    kinesis.split('orders', SHARD)
    expect(await outcome(tail())).to.equal('ended')
    expect(seen).to.deep.equal(['a'])
  })

  it('asks again after failures that pass, and skips nothing', async () => {
    put('a')
    let calls = 0
    kinesis.intercept = ({ name }) => {
      if (name === 'getRecords' && ++calls === 2) throw new ThrottledError('slowly')
      if (name === 'getRecords' && calls === 4) throw new ServiceError('expired-iterator', 'old', { retryable: false })
    }
    const tailing = tail()
    await clock.advance(500)
    put('b')
    await clock.advance(20_000)
    put('c')
    await clock.advance(20_000)
    expect(seen).to.deep.equal(['a', 'b', 'c'])
    expect(retries).to.have.lengthOf(1)
    stop.abort()
    await outcome(tailing)
  })

  it('rejects with what makes reading on pointless', async () => {
    kinesis.intercept = () => {
      throw new ServiceError('access-denied', 'not allowed', { retryable: false })
    }
    const error = await outcome(tail()).catch(thrown => thrown)
    expect(error).to.include({ kind: 'access-denied' })
  })

  it('reads slowly enough for the workers: at most four times a second, at the tip once', async () => {
    let calls = 0
    kinesis.intercept = ({ name }) => {
      if (name === 'getRecords') calls += 1
    }
    const tailing = tail()
    await clock.advance(10_000)
    expect(calls).to.be.within(10, 12)
    stop.abort()
    await outcome(tailing)
  })
})
