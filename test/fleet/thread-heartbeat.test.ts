// With real threads, real time and dynalite, which another process runs: the event loop of this one is blocked on purpose.
import { expect } from 'chai'
import { connectionOf } from '../../src/dynamo/dynamo-connection.ts'
import { fleetSettings } from '../../src/fleet/fleet-settings.ts'
import { ThreadHeartbeat, type ThreadHeartbeatOptions } from '../../src/fleet/thread-heartbeat.ts'
import type { ControlStore } from '../../src/leases/control-store.ts'
import { dynamoControlStore } from '../../src/leases/dynamo-control-store.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { BugError, ServiceError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { type FleetWatcher, type Sighting, startFleetWatcher } from '../support/fleet-watcher.ts'
import { pollUntil } from '../support/poll.ts'
import { aBeatReport, flakyBeats, listening, SESSION, type Told } from './heartbeat-world.ts'

const TABLE = 'heartbeats'
/** H 0.6 s, TS 1.6 s, stall limit 6 s. */
const SETTINGS = fleetSettings(2_000)
const THREAD = new URL('../support/heartbeat-thread.mjs', import.meta.url)
const FAILING_THREAD = new URL('../support/failing-heartbeat-thread.mjs', import.meta.url)
const { durationMs, heartbeatMs, validMs } = SETTINGS

/** Stands still, as a handler that computes does. */
function block(ms: number): void {
  const untilMs = systemClock.monotonicMs() + ms
  while (systemClock.monotonicMs() < untilMs);
}

interface ThreadWorld {
  readonly heartbeat: ThreadHeartbeat
  readonly store: ControlStore
  readonly told: Told
  /** Has somebody watch the session, who declares it dead when it is silent. */
  watch(): void
  sightings(): Sighting[]
}

describe('ThreadHeartbeat', function () {
  this.timeout(60_000)
  let watcher: FleetWatcher
  let applications = 0
  const opened: ThreadHeartbeat[] = []

  before(async () => {
    watcher = await startFleetWatcher()
    await storeOf('anything').prepare()
  })

  after(() => watcher.emulator.close())

  afterEach(() => {
    for (const heartbeat of opened.splice(0)) heartbeat.close()
  })

  const storeOf = (applicationName: string): ControlStore =>
    dynamoControlStore({
      tableName: TABLE,
      applicationName,
      client: watcher.emulator.clientConfig(),
      clock: systemClock,
      logger: silentLogger
    })

  /** A heartbeat of an application of its own. */
  function aHeart(options: Partial<ThreadHeartbeatOptions> = {}): ThreadWorld {
    const applicationName = `application-${++applications}`
    const store = storeOf(applicationName)
    const { told, listener } = listening()
    const heartbeat = new ThreadHeartbeat({
      connection: connectionOf(watcher.emulator.clientConfig()),
      tableName: TABLE,
      applicationName,
      clock: systemClock,
      random: systemRandom,
      settings: SETTINGS,
      listener,
      fallback: store,
      threadUrl: THREAD,
      ...options
    })
    opened.push(heartbeat)
    return {
      heartbeat,
      store,
      told,
      watch: () => watcher.watch({ tableName: TABLE, applicationName, durationMs }),
      sightings: () => watcher.sightings(applicationName)
    }
  }

  it('joins, beats, reports, hurries and leaves from another thread', async () => {
    const { heartbeat, store, told } = aHeart({ fallback: memoryControlStore() })
    await heartbeat.begin(SESSION, aBeatReport())
    const nowMs = systemClock.monotonicMs()
    expect(heartbeat.provedAtMs()).to.be.within(nowMs - validMs, nowMs)
    await pollUntil('another beat', () => heartbeat.provedAtMs() > nowMs)
    expect(told.acknowledged.at(-1)).to.deep.equal({ session: SESSION, asgVer: 0 })
    heartbeat.report(aBeatReport({ evt: 9 }), { hurry: true })
    await pollUntil('the report', async () => (await store.member(SESSION))?.evt === 9)

    await heartbeat.end()
    expect(await store.member(SESSION)).to.deep.include({ dead: 'left', evt: 9 })
    expect(heartbeat.provedAtMs()).to.equal(Number.NEGATIVE_INFINITY)
    expect([told.died, told.failed, told.stalled]).to.deep.equal([[], [], []])
    const { hb = 0 } = (await store.member(SESSION)) ?? {}
    expect(heartbeat.beats, 'as many as landed, or more').to.be.within(hb, hb + 1)
    const before = heartbeat.beats

    await heartbeat.begin('worker-1/2', aBeatReport())
    expect(await store.member('worker-1/2')).to.deep.include({ hb: 1 })
    expect(heartbeat.beats).to.be.above(before)
  })

  it('keeps the session alive while the event loop is blocked for less than the stall limit', async () => {
    const { heartbeat, told, watch, sightings } = aHeart()
    watch()
    await heartbeat.begin(SESSION, aBeatReport())
    const blockedAtMs = systemClock.monotonicMs()
    block(2 * durationMs)
    const sinceProofMs = systemClock.monotonicMs() - heartbeat.provedAtMs()
    expect(sinceProofMs, 'since the proof, right after the block').to.be.below(validMs)
    await pollUntil('news of the stall', () => told.stalled.length > 0)
    expect(told.stalled[0]).to.be.within(2 * durationMs - 300, 2 * durationMs + 1_000)

    const beats = (): Sighting[] =>
      sightings().filter(({ atMs }) => atMs > blockedAtMs && atMs < blockedAtMs + 2 * durationMs)
    await pollUntil('what the watcher saw', () => beats().length >= 4)
    await systemClock.sleep(2 * heartbeatMs)
    expect(sightings().filter(({ kind }) => kind === 'certified')).to.deep.equal([])
    expect([told.died, told.failed, told.stalled.length]).to.deep.equal([[], [], 1])
  })

  it('lets the session die when the event loop is blocked for longer', async () => {
    const stallLimitMs = 1_000
    const { heartbeat, store, told, watch, sightings } = aHeart({ settings: { ...SETTINGS, stallLimitMs } })
    watch()
    await heartbeat.begin(SESSION, aBeatReport())
    const blockedAtMs = systemClock.monotonicMs()
    block(stallLimitMs + durationMs + 1_500)
    const nowMs = systemClock.monotonicMs()
    expect(nowMs - heartbeat.provedAtMs(), 'since the proof, right after the block').to.be.greaterThan(validMs)

    await pollUntil('news of the death', () => told.died.length > 0)
    expect(told.died).to.deep.equal([{ session: SESSION, how: 'silent' }])
    expect(heartbeat.provedAtMs()).to.equal(Number.NEGATIVE_INFINITY)
    const certificate = await pollUntil('the certificate', () => sightings().find(({ kind }) => kind === 'certified'))
    expect(certificate.atMs - blockedAtMs).to.be.greaterThan(stallLimitMs)
    expect(certificate.atMs).to.be.below(nowMs)

    await heartbeat.begin('worker-1/2', aBeatReport())
    expect(systemClock.monotonicMs() - heartbeat.provedAtMs()).to.be.below(validMs)
    expect(await store.member('worker-1/2')).to.deep.include({ hb: 1 })
    expect(told.failed).to.deep.equal([])
  })

  it('refuses another session while one is alive', async () => {
    const { heartbeat } = aHeart()
    const first = heartbeat.begin(SESSION, aBeatReport())
    const second = await heartbeat.begin('worker-1/2', aBeatReport()).catch(error => error)
    expect(second).to.be.instanceOf(BugError)
    await first
  })

  describe('without a thread', () => {
    const reasons: Readonly<Record<string, () => Partial<ThreadHeartbeatOptions>>> = {
      'whose code is missing': () => ({ threadUrl: new URL('./no-such-file.mjs', import.meta.url) }),
      'whose address makes no sense': () => ({ threadUrl: new URL('https://example.invalid/') }),
      'that finds no region': () => ({
        connection: Promise.reject(new ServiceError('other', 'no', { retryable: false }))
      }),
      'that gets no credentials': () => ({
        connection: connectionOf(watcher.emulator.clientConfig()).then(({ settings }) => ({
          settings,
          credentials: () => Promise.reject(new ServiceError('access-denied', 'no', { retryable: false }))
        }))
      }),
      'that does not reach DynamoDB': () => ({
        connection: connectionOf({ ...watcher.emulator.clientConfig(), endpoint: 'http://127.0.0.1:9' })
      })
    }
    for (const [reason, options] of Object.entries(reasons)) {
      it(`says so, and beats in the main thread (${reason})`, async () => {
        const { heartbeat, store, told } = aHeart(options())
        await heartbeat.begin(SESSION, aBeatReport({ evt: 1 }))
        const nowMs = systemClock.monotonicMs()
        heartbeat.report(aBeatReport({ evt: 2 }), { hurry: true })
        await pollUntil('another beat', () => heartbeat.provedAtMs() > nowMs)
        await pollUntil('the report', async () => (await store.member(SESSION))?.evt === 2)
        expect(told.failed.filter(({ what }) => what === 'beat in a thread of its own')).to.have.length(1)
        await heartbeat.end()
        expect(await store.member(SESSION)).to.deep.include({ dead: 'left' })
        await heartbeat.begin('worker-1/2', aBeatReport())
        expect(told.died).to.deep.equal([])
      })
    }

    it('that broke, goes on with the session in the main thread', async () => {
      const { heartbeat, store, told, watch, sightings } = aHeart({ threadUrl: FAILING_THREAD })
      watch()
      await heartbeat.begin(SESSION, aBeatReport())
      heartbeat.report(aBeatReport({ evt: 4 }), { hurry: true })
      await pollUntil('news of the failure', () => told.failed.length > 0)
      expect(told.failed[0]?.what).to.equal('beat in a thread of its own')
      expect(systemClock.monotonicMs() - heartbeat.provedAtMs()).to.be.below(validMs)
      const nowMs = systemClock.monotonicMs()
      await pollUntil('several beats', () => heartbeat.provedAtMs() > nowMs + 2 * heartbeatMs)
      expect(await store.member(SESSION)).to.deep.include({ evt: 4 })
      expect(sightings().filter(({ kind }) => kind === 'certified')).to.deep.equal([])
      expect([told.died, told.failed.length]).to.deep.equal([[], 1])
    })

    it('cannot begin either if the table refuses that for good', async () => {
      const store = memoryControlStore()
      const { heartbeat, told } = aHeart({
        tableName: 'no-such-table',
        fallback: flakyBeats(store, systemClock, () => ({ kind: 'refused-for-good' }))
      })
      const outcome = await heartbeat.begin(SESSION, aBeatReport()).catch(error => error)
      expect(outcome).to.be.instanceOf(ServiceError).with.property('kind', 'access-denied')
      expect(told.failed.map(({ what }) => what)).to.deep.equal(['beat in a thread of its own'])
    })
  })

  describe('close() and end()', () => {
    it('let go of whoever waits, while the thread is starting', async () => {
      const closed = aHeart()
      const beginning = closed.heartbeat.begin(SESSION, aBeatReport())
      closed.heartbeat.close()
      await beginning
      await closed.heartbeat.begin(SESSION, aBeatReport())

      const ended = aHeart()
      const alsoBeginning = ended.heartbeat.begin(SESSION, aBeatReport())
      await ended.heartbeat.end()
      await alsoBeginning
      expect([closed.told.failed, ended.told.failed]).to.deep.equal([[], []])
      expect(await ended.store.members()).to.deep.equal([])
    })

    it('stop without a word, and with one', async () => {
      const { heartbeat, store, told, watch, sightings } = aHeart()
      watch()
      await heartbeat.begin(SESSION, aBeatReport())
      heartbeat.close()
      expect(heartbeat.provedAtMs()).to.equal(Number.NEGATIVE_INFINITY)
      await pollUntil('the certificate', () => sightings().find(({ kind }) => kind === 'certified'))
      expect(await store.member(SESSION)).to.deep.include({ dead: 'silent' })
      await heartbeat.end()
      expect([told.died, told.failed]).to.deep.equal([[], []])
    })
  })
})
