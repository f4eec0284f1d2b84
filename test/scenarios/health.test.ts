// What is wrong with a shard, as worker.health() says it: each of the ways to stand still, by its reason, and green again after.
import { expect } from 'chai'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { bareWorker, type ReadFate } from '../support/bare-worker.ts'
import { collectingLogger } from '../support/collecting-logger.ts'
import { World } from '../support/world.ts'

interface Case {
  readonly reason: RegExp
  readonly options?: (isWrong: () => boolean) => object
  readonly fate?: (isWrong: () => boolean) => ReadFate
  /** How long it is wrong before it is looked. Milliseconds. */
  readonly forMs?: number
  readonly staysRed?: true
}

const failing = (isWrong: () => boolean) => (): void => {
  if (isWrong()) throw new TypeError('a secret')
}

const CASES: Readonly<Record<string, Case>> = {
  'a handler hangs': {
    reason: /^stalled: a call of the processor has been under way for \d+ s$/,
    options: isWrong => ({ handler: (): unknown => (isWrong() ? new Promise(() => {}) : undefined) }),
    staysRed: true
  },
  'Kinesis does not answer': {
    reason: /^stalled: Kinesis does not answer for \d+ s$/,
    fate: isWrong => () => (isWrong() ? new Promise<never>(() => {}) : undefined),
    forMs: 90_000,
    staysRed: true
  },
  'every read is throttled': {
    reason: /^stalled: Kinesis refuses to be read as too often for \d+ s$/,
    fate: isWrong => () => (isWrong() ? Promise.reject(new ThrottledError('too often')) : undefined)
  },
  'calls fail for ever': {
    reason: /^stalled: calls of the processor fail for \d+ s$/,
    options: isWrong => ({
      handler: failing(isWrong),
      onProcessorError: { attempts: Number.POSITIVE_INFINITY, maxBackoffMs: 1_000 }
    })
  },
  'it is halted': {
    reason: /^halted: .*a secret/,
    options: isWrong => ({ handler: failing(isWrong), onProcessorError: { attempts: 1 } }),
    staysRed: true
  },
  'the circuit breaker is open': {
    reason: /^held back: the circuit breaker is open after \d+ failures in a row, the last with TypeError$/,
    options: isWrong => ({ handler: failing(isWrong), onProcessorError: { circuitBreaker: { failures: 2 } } })
  }
}

async function aSick({ options, fate }: Case) {
  const world = new World()
  const now = { isWrong: false }
  const isWrong = (): boolean => now.isWrong
  const worker = bareWorker(world, { logger: collectingLogger(), ...options?.(isWrong) }, fate?.(isWrong))
  await world.await(worker.start())
  await world.clock.advance(5_000)
  return { world, worker, now }
}

describe('the health of a shard', () => {
  for (const [what, each] of Object.entries(CASES)) {
    it(`is red with the reason when ${what}, and is green before${each.staysRed ? '' : ' and after'}`, async () => {
      const { world, worker, now } = await aSick(each)
      expect(worker.health()).to.include({ color: 'green' })
      now.isWrong = true
      world.put('key')
      await world.clock.advance(each.forMs ?? 130_000)
      const health = worker.health()
      expect(health.color).to.equal('red')
      expect(health.shards.map(({ reason }) => reason ?? '').join()).to.match(each.reason)
      now.isWrong = false
      await world.clock.advance(60_000)
      if (each.staysRed !== true) expect(worker.health()).to.include({ color: 'green' })
      await world.await(worker.stop({ graceMs: 0 }))
    })
  }

  it('is red when no heartbeat is acknowledged, and green once one is', async () => {
    const world = new World()
    const member = await world.startWorker()
    await world.clock.advance(5_000)
    member.links.store = 'down'
    await world.clock.advance(30_000)
    const [shard] = member.worker.health().shards
    expect(shard?.reason).to.equal('suspended: the lease table has acknowledged no heartbeat in time')
    member.links.store = 'up'
    await world.clock.advance(30_000)
    expect(member.worker.health()).to.include({ color: 'green' })
    await world.stopAll()
  })

  it('is red when checkpoints cannot be written, and green once they can', async () => {
    const world = new World()
    const member = await world.startWorker()
    await world.clock.advance(5_000)
    const error = new ServiceError('other', 'not now', { retryable: true })
    let isAway = true
    member.intercept = ({ service, name }) =>
      isAway && service === 'leases' && name === 'replace' ? { kind: 'fails', error } : undefined
    world.put('key')
    await world.clock.advance(130_000)
    const [shard] = member.worker.health().shards
    expect(shard?.reason).to.match(/^stalled: checkpoints cannot be written for \d+ s$/)
    isAway = false
    await world.clock.advance(60_000)
    expect(member.worker.health()).to.include({ color: 'green' })
    await world.stopAll()
  })
})

describe('a paused shard in lanes', () => {
  it('is given back when it cannot be read on, and not kept for the pause', async () => {
    const world = new World()
    const now = { isWrong: false }
    const fatal = (): Promise<never> => Promise.reject(new ServiceError('access-denied', 'no', { retryable: false }))
    const given = { logger: collectingLogger(), handler: undefined, each: () => {}, concurrency: { perShard: 4 } }
    const released: string[] = []
    const worker = bareWorker(world, given, () => (now.isWrong ? fatal() : undefined))
    worker.on('lease:released', ({ shardId }) => released.push(shardId))
    await world.await(worker.start())
    await world.clock.advance(5_000)
    worker.pause()
    for (let index = 0; index < 10; index++) world.put(`key-${index}`)
    await world.clock.advance(5_000)
    now.isWrong = true
    await world.clock.advance(30_000)
    expect(released).to.have.length.above(0)
    await world.await(worker.stop({ graceMs: 0 }))
  })
})

describe('a record that waits for the circuit breaker', () => {
  it('is given up once it has become too old, and is not tried any more', async () => {
    const world = new World()
    const letters: string[] = []
    let calls = 0
    const worker = bareWorker(world, {
      logger: collectingLogger(),
      handler: () => {
        calls += 1
        throw new Error('the database is down')
      },
      onProcessorError: {
        // biome-ignore lint/suspicious/noThenProperty: an option of ours
        ...{ then: 'dead-letter', bisect: false, attempts: 100, maxRecordAgeMs: 30_000, backoffMs: 100 },
        circuitBreaker: { failures: 1, openMs: 60_000 }
      },
      deadLetters: (given: readonly { error: { name: string } }[]) => {
        for (const { error } of given) letters.push(error.name)
      }
    })
    await world.await(worker.start())
    world.put('key')
    await world.clock.advance(120_000)
    expect(letters).to.deep.equal(['RecordTooOldError'])
    expect(calls).to.equal(1)
    await world.await(worker.stop({ graceMs: 0 }))
  })
})

describe('the reason why records have failed', () => {
  it('stands in their dead letters: their own, or the common one', async () => {
    const world = new World()
    const letters: string[] = []
    const worker = bareWorker(world, {
      logger: collectingLogger(),
      handler: (records: readonly { text(): string }[]) => ({
        failed: records.map((record, index) =>
          index === 0 ? { record, reason: new RangeError('too large') } : record
        ),
        reason: 'not today'
      }),
      // biome-ignore lint/suspicious/noThenProperty: an option of ours
      onProcessorError: { then: 'dead-letter', attempts: 1 },
      deadLetters: (given: readonly { error: { name: string; message: string } }[]) => {
        for (const { error } of given) letters.push(`${error.name}: ${error.message}`)
      }
    })
    world.put('key')
    world.put('key')
    await world.await(worker.start())
    await world.clock.advance(10_000)
    expect(letters).to.deep.equal(['RangeError: too large', 'string: not today'])
    await world.await(worker.stop())
  })
})
