import { expect } from 'chai'
import type { SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import { FanOutWatchdog } from '../../src/kinesis/fan-out-watchdog.ts'
import { Http2Wire } from '../../src/kinesis/http2-wire.ts'
import type { SdkFanOutOptions } from '../../src/kinesis/sdk-fan-out.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import type { FanOutServerOptions } from '../support/fan-out-server.ts'
import { quickFault } from '../support/fan-out-server-faults.ts'
import { pollUntil } from '../support/poll.ts'
import { seedOr } from '../support/seeds.ts'
import { type FanOutWorld, FIRST, fanOutWorld, STREAM, textsOf } from './fan-out-world.ts'

const LIMITS = {
  ...{ maxStreams: 100, connectTimeoutMs: 5_000, pingEveryMs: 15_000, pingTimeoutMs: 10_000, idleMs: 20_000 },
  windowBytes: 65_536
}

describe('Http2Wire', () => {
  let world: FanOutWorld
  afterEach(() => world.close())

  /** Subscribes to so many shards at once, and says over how many sessions. */
  async function subscribeTo(shards: number, options: Partial<SdkFanOutOptions>, server: FanOutServerOptions = {}) {
    world = await fanOutWorld(options, { shards, ...server })
    const { port, consumerArn } = world
    const ids = world.server.kinesis.shards(STREAM).map(({ shardId }) => shardId)
    const start = { type: 'LATEST' } as const
    const all = await Promise.all(ids.map(shardId => port.subscribeToShard({ consumerArn, shardId, start })))
    expect(world.server.subscriptions.size).to.equal(shards)
    return { ids, all, sessions: world.server.sessionsEver }
  }

  async function next(events: AsyncIterable<SubscriptionEvent>): Promise<readonly string[]> {
    for await (const { records } of events) if (records.length > 0) return textsOf(records)
    return []
  }

  it('puts many subscriptions on one session', async () => {
    const { ids, all, sessions } = await subscribeTo(50, {})
    expect(sessions).to.equal(1)
    for (const id of ids) world.server.put(STREAM, id, id)
    const texts = await Promise.all(all.map(next))
    expect(texts.flat()).to.deep.equal(ids)
  })

  it('opens another session when all are full', async () => {
    const { sessions } = await subscribeTo(25, { streamsPerSession: 10 })
    expect(sessions).to.equal(3)
  })

  it('puts no more on a session than the other side takes', async () => {
    const { sessions } = await subscribeTo(20, {}, { maxConcurrentStreams: 5 })
    // The first one was booked for all of them, before it said how many it takes.
    expect(sessions).to.be.within(4, 5)
  })

  it('uses the place of a subscription that has ended', async () => {
    const { all, sessions } = await subscribeTo(4, { streamsPerSession: 4 })
    expect(sessions).to.equal(1)
    for (const events of all) await events[Symbol.asyncIterator]().return?.()
    await pollUntil('the places', () => world.server.subscriptions.size === 0)
    await systemClock.sleep(60)
    await world.subscribe()
    expect(world.server.sessionsEver).to.equal(1)
  })

  it('opens no session for a signal that has aborted, or once it is closed', async () => {
    world = await fanOutWorld({})
    const wire = new Http2Wire({ limits: LIMITS, watchdog: new FanOutWatchdog(systemClock, 5_000) })
    const request = { origin: world.server.endpoint, path: '/', headers: {}, body: '{}' }
    const reason = new Error('enough')
    const failureOf = (signal: AbortSignal) => wire.send(request, signal).catch((error: unknown) => error)
    expect(await failureOf(AbortSignal.abort(reason))).to.equal(reason)
    wire.close()
    expect(await failureOf(new AbortController().signal)).to.include({ kind: 'other', retryable: false })
    await systemClock.sleep(20)
    expect(world.server.sessionsEver).to.equal(0)
  })

  it('loses nothing and repeats nothing through random faults, read on from the last continuation', async function () {
    this.timeout(60_000)
    const seed = seedOr(4)
    const random = seededRandom(seed)
    world = await fanOutWorld({}, { times: 2_000 })
    const { server } = world
    server.chance = () => quickFault(random)
    const read: string[] = []
    const put: string[] = []
    let after: string | undefined
    let failures = 0
    while (server.struck < 300) {
      if (random.next() < 0.7) {
        const text = `${put.length}`
        server.put(STREAM, FIRST, text)
        put.push(text)
      }
      try {
        let events = 0
        const sequenceNumber = after ?? ''
        const events_ = await world.subscribe(
          after === undefined ? { type: 'TRIM_HORIZON' } : { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber }
        )
        for await (const { records, continuationSequenceNumber } of events_) {
          read.push(...textsOf(records))
          after = continuationSequenceNumber
          if (++events > 4) break
        }
      } catch {
        failures++
      }
    }
    server.chance = undefined
    while (read.length < put.length) {
      await systemClock.sleep(4)
      const sequenceNumber = after ?? ''
      for await (const { records } of await world.subscribe({ type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber })) {
        read.push(...textsOf(records))
        break
      }
    }
    expect(read, `SEED=${seed}`).to.deep.equal(put)
    expect(failures).to.be.greaterThan(100)
  })
})
