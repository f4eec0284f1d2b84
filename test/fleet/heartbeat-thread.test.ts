import { expect } from 'chai'
import { HeartbeatMemory } from '../../src/fleet/heartbeat-memory.ts'
import type { FromThread, ToThread } from '../../src/fleet/heartbeat-messages.ts'
import { serveHeartbeat } from '../../src/fleet/heartbeat-thread.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aBeatReport, type BeatFaults, flakyBeats, SESSION, SETTINGS } from './heartbeat-world.ts'

const { heartbeatMs, hurryMs, stallLimitMs, validMs } = SETTINGS

/** The thread's side in virtual time, and this side of its port. */
function served(faults?: BeatFaults) {
  const clock = new VirtualClock()
  const table = memoryControlStore()
  const told: FromThread[] = []
  const used: string[] = []
  let deliver: (message: ToThread) => void = () => {}
  const port = {
    on: (_: string, listener: (message: ToThread) => void) => {
      deliver = listener
    },
    postMessage: (message: FromThread) => told.push(structuredClone(message))
  }
  const store = {
    ...flakyBeats(table, clock, faults),
    useCredentials: ({ accessKeyId }: { accessKeyId: string }) => used.push(accessKeyId)
  }
  serveHeartbeat(port as never, { settings: SETTINGS, store: store as never, clock, random: seededRandom(1) })
  const begin = (session: string, memory = new HeartbeatMemory()): HeartbeatMemory => {
    memory.tickAtMs = clock.monotonicMs()
    const start = { session, report: aBeatReport(), hurry: false, from: memory.progress }
    deliver({ kind: 'begin', start, memory: memory.buffer })
    return memory
  }
  return { clock, table, told, used, post: (message: ToThread) => deliver(message), begin }
}

/** Lets time pass as it does while the main loop runs. */
async function ticking(clock: VirtualClock, memory: HeartbeatMemory, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 250) {
    await clock.advance(250)
    memory.tickAtMs = clock.monotonicMs()
  }
}

describe('serveHeartbeat', () => {
  it('is ready, begins a session, tells of its answers, and ends it', async () => {
    const { clock, table, told, post, begin } = served()
    const memory = begin(SESSION)
    await clock.settle()
    expect(memory.progress).to.deep.equal({ hb: 1, ack: 1, provedAtMs: 0 })
    await ticking(clock, memory, heartbeatMs)
    expect(told).to.deep.equal([
      { kind: 'ready' },
      { kind: 'acknowledged', session: SESSION, asgVer: 0 },
      { kind: 'begun', session: SESSION },
      { kind: 'acknowledged', session: SESSION, asgVer: 0 }
    ])
    post({ kind: 'report', report: aBeatReport({ evt: 3 }), hurry: true })
    await clock.settle()
    expect(await table.member(SESSION)).to.deep.include({ hb: 3, evt: 3 })
    post({ kind: 'end' })
    await clock.settle()
    expect(told.at(-1)).to.deep.equal({ kind: 'ended', session: SESSION })
    expect(await table.member(SESSION)).to.deep.include({ dead: 'left' })
    expect([memory.provedAtMs, clock.sleeping]).to.deep.equal([Number.NEGATIVE_INFINITY, 0])
  })

  it('tells why a session cannot begin, and what fails on the way', async () => {
    const refused = served(() => ({ kind: 'refused-for-good' }))
    refused.begin(SESSION)
    await refused.clock.settle()
    expect(refused.told.at(-1)).to.deep.include({ kind: 'refused', session: SESSION })
    expect(refused.told.at(-1)).to.have.nested.include({ 'error.of': 'access-denied', 'error.retryable': false })

    const throttled = served(() => ({ kind: 'throttled' }))
    throttled.begin(SESSION)
    await throttled.clock.settle()
    expect(throttled.told.at(-1)).to.deep.include({ kind: 'failed', what: 'join the fleet' })
    expect(throttled.told.at(-1)).to.have.nested.include({ 'error.kind': 'throttled' })
  })

  it('goes on through a stall of the main loop that is shorter than the limit', async () => {
    const { clock, told, begin } = served()
    const memory = begin(SESSION)
    for (let passedMs = 0; passedMs < stallLimitMs - 1_000; passedMs += 1_000) {
      await clock.advance(1_000)
      expect(clock.monotonicMs() - memory.provedAtMs).to.be.below(validMs)
    }
    expect(told.filter(({ kind }) => kind === 'died')).to.deep.equal([])
  })

  it('stops beating when the main loop stands still for longer, and goes on with it', async () => {
    const { clock, table, begin } = served()
    const memory = begin(SESSION)
    await clock.advance(stallLimitMs)
    const { hb } = memory.progress
    await clock.advance(600_000)
    expect(memory.progress.hb).to.equal(hb)
    expect(await table.member(SESSION)).to.deep.include({ hb })
    expect(clock.monotonicMs() - memory.provedAtMs).to.be.greaterThan(validMs)

    memory.tickAtMs = clock.monotonicMs()
    await clock.advance(hurryMs / 4)
    expect(memory.progress.hb).to.equal(hb + 1)
    expect(clock.monotonicMs() - memory.provedAtMs).to.be.below(hurryMs)
  })

  it('tells of a death that came while the main loop stood still', async () => {
    const { clock, table, told, begin } = served()
    const memory = begin(SESSION)
    await clock.advance(stallLimitMs + heartbeatMs)
    expect(await table.certify(SESSION, memory.progress.hb, 'silent')).to.equal(true)
    await clock.advance(600_000)
    expect(told.at(-1)?.kind).to.equal('acknowledged')
    memory.tickAtMs = clock.monotonicMs()
    await clock.advance(hurryMs / 4)
    expect(told.at(-1)).to.deep.equal({ kind: 'died', session: SESSION, how: 'silent' })
    expect(memory.provedAtMs).to.equal(Number.NEGATIVE_INFINITY)
  })

  it('keeps the memory of each session to itself', async () => {
    const { clock, table, told, begin } = served()
    const first = begin(SESSION)
    await clock.settle()
    await table.certify(SESSION, 1, 'silent')
    await ticking(clock, first, heartbeatMs)
    expect(told.at(-1)?.kind).to.equal('died')
    const second = begin('worker-1/2')
    await clock.settle()
    expect([first.provedAtMs, second.provedAtMs]).to.deep.equal([Number.NEGATIVE_INFINITY, clock.monotonicMs()])
    expect(told.at(-1)).to.deep.equal({ kind: 'begun', session: 'worker-1/2' })
  })

  it('uses the credentials that it is sent', () => {
    const { post, used } = served()
    post({ kind: 'credentials', credentials: { accessKeyId: 'new', secretAccessKey: 'secret' } })
    expect(used).to.deep.equal(['new'])
  })

  it('does nothing for a report or an end without a session', async () => {
    const { clock, told, post } = served()
    post({ kind: 'report', report: aBeatReport(), hurry: true })
    post({ kind: 'end' })
    await clock.settle()
    expect(told).to.deep.equal([{ kind: 'ready' }, { kind: 'ended', session: '' }])
  })
})
