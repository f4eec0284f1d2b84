import { expect } from 'chai'
import { LEAVE_BEHIND_MS, withinLimit } from '../../src/consumer/call-limit.ts'
import { HandlerTimeoutError, ProcessorGoneError } from '../../src/model/errors.ts'
import { deferred } from '../../src/runtime/deferred.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const LIMIT_MS = 10_000

describe('withinLimit', () => {
  /** A call that never returns: when its signal aborts, and when and with what it is left behind. */
  function hanging(clock: VirtualClock, more: object = {}) {
    const seen: { abortedAtMs?: number; leftAtMs?: number; error?: unknown } = {}
    const call = withinLimit({ limitMs: LIMIT_MS, clock, ...more }, [], ({ signal }) => {
      signal.addEventListener('abort', () => {
        seen.abortedAtMs = clock.monotonicMs()
      })
      return new Promise(() => {})
    })
    Promise.resolve(call).catch(error => Object.assign(seen, { error, leftAtMs: clock.monotonicMs() }))
    return seen
  }

  it('leaves a call behind that does not return when its signal aborts', async () => {
    const clock = new VirtualClock()
    const beganAtMs = clock.monotonicMs()
    const seen = hanging(clock)
    await clock.advance(60_000)
    expect(seen.abortedAtMs).to.equal(beganAtMs + LIMIT_MS)
    expect(seen.leftAtMs).to.equal(beganAtMs + LIMIT_MS + LEAVE_BEHIND_MS)
    expect(seen.error).to.be.instanceOf(HandlerTimeoutError).and.to.include({ limitMs: LIMIT_MS, isLeftBehind: true })
  })

  it('fails as it is told to where the call can be ended', async () => {
    const clock = new VirtualClock()
    const gone = new ProcessorGoneError('shard', 'it was ended')
    const told: unknown[] = []
    const leftBehind = (error: unknown): unknown => {
      told.push(error)
      return gone
    }
    const seen = hanging(clock, { leftBehind })
    await clock.advance(60_000)
    expect(seen.error).to.equal(gone)
    expect(told).to.have.length(1)
    expect(told[0]).to.be.instanceOf(HandlerTimeoutError)
  })

  it('counts no time before the call begins', async () => {
    const clock = new VirtualClock()
    const begun = deferred()
    const seen = hanging(clock, { turn: () => ({ begun: begun.promise, isHeldUp: () => false }) })
    await clock.advance(10 * LIMIT_MS)
    expect(seen).to.deep.equal({})
    const beganAtMs = clock.monotonicMs()
    begun.resolve()
    await clock.advance(60_000)
    expect(seen.abortedAtMs).to.equal(beganAtMs + LIMIT_MS)
  })

  it('counts its time anew where it is over while another call holds it up', async () => {
    const clock = new VirtualClock()
    const beganAtMs = clock.monotonicMs()
    let isHeldUp = true
    const seen = hanging(clock, { turn: () => ({ begun: undefined, isHeldUp: () => isHeldUp }) })
    await clock.advance(LIMIT_MS + 1)
    isHeldUp = false
    expect(seen).to.deep.equal({})
    await clock.advance(LIMIT_MS)
    expect(seen.abortedAtMs).to.equal(beganAtMs + 2 * LIMIT_MS)
    isHeldUp = true
    await clock.advance(LEAVE_BEHIND_MS)
    expect(seen.leftAtMs).to.equal(undefined)
    isHeldUp = false
    await clock.advance(LEAVE_BEHIND_MS)
    expect(seen.leftAtMs).to.equal(beganAtMs + 2 * LIMIT_MS + 2 * LEAVE_BEHIND_MS)
  })

  it('passes on that the processor went after the time was over', async () => {
    const clock = new VirtualClock()
    const gone = new ProcessorGoneError('shard', 'it exited')
    const call = withinLimit({ limitMs: LIMIT_MS, clock }, [], async () => {
      await clock.sleep(LIMIT_MS + 1)
      throw gone
    }).catch(error => error)
    await clock.advance(60_000)
    expect(await call).to.equal(gone)
  })
})
