// The one thing that a heartbeat must never get wrong, over a network that does anything: when whoever watches the session
// has seen its counter stand still for the time after which it is dead, the session has known for long that it is not proved.
import { expect } from 'chai'
import { seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'
import { aBeatReport, type BeatFault, type BeatFaults, heartbeatWorld, SESSION, SETTINGS } from './heartbeat-world.ts'

const { durationMs, validMs } = SETTINGS
const WATCH_MS = 50

/** Calm and storm in turn, each for up to half a minute. In a storm nearly every call meets a fault. */
function stormyFaults(seed: number): BeatFaults {
  const random = seededRandom(seed)
  const upTo = (ms: number): number => Math.floor(random.next() * ms)
  const inStorm = (): BeatFault | undefined => {
    const draw = random.next()
    if (draw < 0.2) return { kind: 'lost-request' }
    if (draw < 0.4) return { kind: 'lost-answer' }
    if (draw < 0.5) return { kind: 'unanswered', toMs: upTo(15_000) }
    if (draw < 0.6) return { kind: 'throttled' }
    if (draw < 0.9) return { kind: 'slow', toMs: upTo(12_000), backMs: upTo(6_000) }
    return undefined
  }
  let isStorm = false
  let untilMs = 0
  return ({ atMs }) => {
    if (atMs >= untilMs) {
      isStorm = !isStorm
      untilMs = atMs + upTo(30_000)
    }
    return isStorm ? inStorm() : { kind: 'slow', toMs: upTo(40), backMs: upTo(40) }
  }
}

/** Lives for ten minutes, dying and beginning anew. How often it died, and for how many milliseconds it was proved. */
async function life(seed: number): Promise<{ deaths: number; provedMs: number }> {
  const random = seededRandom(seed + 1_000)
  const world = heartbeatWorld(stormyFaults(seed), { random })
  const { clock, heartbeat, table, told } = world
  let session = SESSION
  let seen = { of: session, hb: 0, sinceMs: 0 }
  let provedMs = 0
  void heartbeat.begin(session, aBeatReport())
  while (clock.monotonicMs() < 600_000) {
    await clock.advance(WATCH_MS)
    const nowMs = clock.monotonicMs()
    const isProved = heartbeat.provedAtMs() + validMs > nowMs
    if (isProved) provedMs += WATCH_MS
    const member = await table.member(session)
    if (told.died.at(-1)?.session === session) {
      session = `worker-1/${told.died.length + 1}`
      void heartbeat.begin(session, aBeatReport({ evt: told.died.length }))
    } else if (member !== undefined && member.dead === undefined) {
      expect(member.ack, 'answers seen').to.be.at.most(member.hb)
      if (member.hb !== seen.hb || session !== seen.of) seen = { of: session, hb: member.hb, sinceMs: nowMs }
      // The watcher looks all the time, and so is the earliest that there can be.
      if (nowMs - seen.sinceMs < durationMs) continue
      expect(isProved, `proved at the death of ${session}, SEED=${seed}`).to.equal(false)
      await table.certify(session, member.hb, 'silent')
    } else expect(isProved && member !== undefined, `proved after its death, SEED=${seed}`).to.equal(false)
  }
  heartbeat.close()
  return { deaths: told.died.length, provedMs }
}

describe('LocalHeartbeat, over a network that does anything', () => {
  it('is never proved when its session can be declared dead', async function () {
    this.timeout(120_000)
    let deaths = 0
    let provedMs = 0
    for (const seed of seeds(12)) {
      const outcome = await life(seed)
      deaths += outcome.deaths
      provedMs += outcome.provedMs
    }
    // Not because it never is.
    if (process.env.SEED === undefined) expect(deaths).to.be.greaterThan(10)
    expect(provedMs).to.be.greaterThan(0)
  })
})
