import { expect } from 'chai'
import { fleetSettings } from '../../src/fleet/fleet-settings.ts'
import type { Heartbeat, HeartbeatListener, HeartbeatReport } from '../../src/fleet/heartbeat.ts'
import { MemberSession } from '../../src/fleet/member-session.ts'
import type { Death } from '../../src/leases/control-store.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { type Deferred, deferred } from '../../src/runtime/deferred.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const SETTINGS = fleetSettings(10_000)
const REPORT: HeartbeatReport = {
  workerId: 'w',
  state: 'ACTIVE',
  applied: 0,
  evt: 0,
  led: 0,
  generation: 0,
  capacity: 1,
  avoid: []
}
const DENIED = new ServiceError('access-denied', 'not allowed', { retryable: false })

/** A heartbeat that does what the test says. */
class HandHeartbeat implements Heartbeat {
  readonly listener: HeartbeatListener
  readonly sessions: string[] = []
  readonly reports: [evt: number, hurry: boolean | undefined][] = []
  readonly ends: string[] = []
  readonly #clock: VirtualClock
  #begun: Deferred = deferred()
  #provedAtMs = Number.NEGATIVE_INFINITY

  constructor(listener: HeartbeatListener, clock: VirtualClock) {
    this.listener = listener
    this.#clock = clock
  }

  get session(): string {
    return this.sessions.at(-1) ?? expect.fail('no session has begun')
  }

  begin(session: string, report: HeartbeatReport): Promise<void> {
    this.sessions.push(session)
    this.reports.push([report.evt, undefined])
    this.#begun = deferred()
    return this.#begun.promise
  }

  report(report: HeartbeatReport, { hurry }: { hurry?: boolean } = {}): void {
    this.reports.push([report.evt, hurry])
  }

  provedAtMs(): number {
    return this.#provedAtMs
  }

  async end(): Promise<void> {
    this.ends.push('end')
    this.#provedAtMs = Number.NEGATIVE_INFINITY
  }

  close(): void {
    this.ends.push('close')
  }

  /** A beat that was sent now is acknowledged; the first completes the joining. */
  async acknowledge(asgVer = 0): Promise<void> {
    this.#provedAtMs = this.#clock.monotonicMs()
    this.#begun.resolve()
    this.listener.acknowledged(this.session, asgVer)
    await this.#clock.settle()
  }

  async die(how: Death): Promise<void> {
    this.#provedAtMs = Number.NEGATIVE_INFINITY
    // Another session may begin before the joining of this one is over.
    const begun = this.#begun
    this.listener.died(this.session, how)
    begun.resolve()
    await this.#clock.settle()
  }

  async failToBegin(error: unknown): Promise<void> {
    this.#begun.reject(error)
    await this.#clock.settle()
  }
}

function aMember() {
  const clock = new VirtualClock()
  const told: string[] = []
  let heart: HandHeartbeat | undefined
  let evt = 0
  const member: MemberSession = new MemberSession({
    workerId: 'w',
    settings: SETTINGS,
    clock,
    random: seededRandom(1),
    makeHeartbeat: listener => {
      heart = new HandHeartbeat(listener, clock)
      return heart
    },
    beginning: () => ({ ...REPORT, evt: ++evt }),
    died: how => told.push(`let go: ${how}, ${member.id}, proved ${member.proof.isProved()}`),
    heard: (session, asgVer) => told.push(`heard ${session === member.id ? asgVer : session}`),
    listener: {
      sessionBegan: session => told.push(`began ${session === member.id}`),
      sessionSuspended: () => told.push('suspended'),
      sessionResumed: forMs => told.push(`resumed after ${forMs}`),
      sessionDied: (session, how) => told.push(`died ${session === heart?.session} ${how}`),
      stalled: forMs => told.push(`stalled ${forMs}`),
      failed: (what, error) => told.push(`failed ${what}: ${(error as Error).message}`)
    }
  })
  if (heart === undefined) throw new Error('No heartbeat was made')
  const begin = async (): Promise<void> => {
    const starting = member.start()
    await heart?.acknowledge()
    await starting
    told.length = 0
  }
  /** Lets time pass, and somebody ask for the proof in the end. */
  const pass = async (ms: number): Promise<boolean> => {
    await clock.advance(ms)
    return member.proof.isProved()
  }
  return { clock, told, heart, member, begin, pass }
}

describe('MemberSession', () => {
  it('joins the fleet as a session of its worker, and has begun once that is acknowledged', async () => {
    const { clock, told, heart, member } = aMember()
    expect(member.id).to.equal(undefined)
    let isStarted = false
    const starting = member.start().then(() => {
      isStarted = true
    })
    await clock.advance(5_000)
    expect(member.id).to.equal(heart.session)
    expect(member.id).to.match(/^w\/[0-9a-z]{8}$/)
    expect([isStarted, member.proof.isProved()]).to.deep.equal([false, false])
    await heart.acknowledge(3)
    await starting
    expect(member.proof.isProved()).to.equal(true)
    expect(told).to.deep.equal(['heard 3', 'began true'])
  })

  it('rejects where it cannot join, and has no session then', async () => {
    const { heart, member } = aMember()
    const starting = member.start().catch((error: unknown) => error)
    await heart.failToBegin(DENIED)
    expect(await starting).to.equal(DENIED)
    expect(member.id).to.equal(undefined)
  })

  it('tells when the session is suspended, and when it is proved again', async () => {
    const { told, heart, member, begin, pass } = aMember()
    await begin()
    expect(await pass(SETTINGS.validMs - 1)).to.equal(true)
    expect(await pass(1)).to.equal(false)
    expect(await pass(2_000)).to.equal(false)
    await heart.acknowledge(1)
    expect(member.proof.isProved()).to.equal(true)
    expect(told).to.deep.equal(['suspended', 'resumed after 2000', 'heard 1'])
  })

  it('passes on what its heart tells', async () => {
    const { told, heart, begin } = aMember()
    await begin()
    heart.listener.stalled(4_000)
    heart.listener.failed('send a heartbeat', new Error('no answer'))
    expect(told).to.deep.equal(['stalled 4000', 'failed send a heartbeat: no answer'])
  })

  describe('whose session dies', () => {
    it('lets go of everything before it tells, and begins another one at once, which was never suspended', async () => {
      const { told, heart, member, begin } = aMember()
      await begin()
      const { lapse } = member.proof
      const before = member.id
      await heart.die('deaf')
      expect(lapse.aborted).to.equal(true)
      expect(heart.sessions).to.have.length(2)
      expect(new Set(heart.sessions).size).to.equal(2)
      expect(member.id).to.equal(heart.session).and.not.equal(before)
      await heart.acknowledge()
      expect(member.proof.isProved()).to.equal(true)
      expect(told).to.deep.equal(['let go: deaf, undefined, proved false', 'died true deaf', 'heard 0', 'began true'])
    })

    it('while it is suspended begins another one, and is not resumed', async () => {
      const { told, heart, begin, pass } = aMember()
      await begin()
      await pass(SETTINGS.validMs)
      await heart.die('silent')
      await pass(1_000)
      await heart.acknowledge()
      expect(told.filter(line => !/^(let go|died)/.test(line))).to.deep.equal(['suspended', 'heard 0', 'began true'])
      told.length = 0
      await pass(SETTINGS.validMs + 500)
      await heart.acknowledge()
      expect(told).to.deep.equal(['suspended', 'resumed after 0', 'heard 0'])
    })

    it('before it has begun begins another one', async () => {
      const { told, heart, member } = aMember()
      const starting = member.start()
      await heart.die('gone')
      await starting
      await heart.acknowledge()
      expect(heart.sessions).to.have.length(2)
      expect(told).to.deep.equal(['let go: gone, undefined, proved false', 'died true gone', 'heard 0', 'began true'])
    })

    it('tries again to join for as long as it takes, and tells of each failure', async () => {
      const { clock, told, heart, member, begin } = aMember()
      await begin()
      await heart.die('silent')
      told.length = 0
      for (let failure = 0; failure < 3; failure++) {
        await heart.failToBegin(DENIED)
        expect(member.id).to.equal(undefined)
        await clock.advance(SETTINGS.durationMs)
      }
      await heart.acknowledge()
      expect(new Set(heart.sessions).size).to.equal(5)
      expect(told).to.deep.equal([...Array(3).fill('failed join the fleet: not allowed'), 'heard 0', 'began true'])
    })

    it('tries no more to join once it is told to stop', async () => {
      const { clock, heart, member, begin } = aMember()
      await begin()
      await heart.die('silent')
      await heart.failToBegin(DENIED)
      member.abandon()
      await clock.settle()
      expect(clock.sleeping).to.equal(0)
      await clock.advance(60_000)
      expect(heart.sessions).to.have.length(2)
    })

    it('tells nothing of a session that was over before', async () => {
      const { clock, told, heart, member, begin } = aMember()
      await begin()
      const [first = ''] = heart.sessions
      await heart.die('silent')
      await heart.acknowledge()
      told.length = 0
      heart.listener.acknowledged(first, 9)
      heart.listener.died(first, 'silent')
      await clock.settle()
      expect(told).to.deep.equal([])
      expect(member.id).to.equal(heart.session)
      expect(heart.sessions).to.have.length(2)
    })
  })

  describe('publish', () => {
    it('has the heartbeat say what is new, and how much of a hurry there is, once', async () => {
      const { heart, member, begin } = aMember()
      await begin()
      heart.reports.length = 0
      for (const [evt, hurry] of [
        [5, false],
        [5, false],
        [5, true],
        [5, true],
        [6, true]
      ] as const) {
        member.publish({ ...REPORT, evt }, hurry)
      }
      expect(heart.reports).to.deep.equal([
        [5, false],
        [5, true],
        [6, true]
      ])
    })

    it('says it again to another session', async () => {
      const { heart, member, begin } = aMember()
      await begin()
      member.publish({ ...REPORT, evt: 5 }, false)
      await heart.die('silent')
      heart.reports.length = 0
      member.publish({ ...REPORT, evt: 5 }, false)
      expect(heart.reports).to.deep.equal([[5, false]])
    })

    it('says nothing without a session', () => {
      const { heart, member } = aMember()
      member.publish(REPORT, true)
      expect(heart.reports).to.deep.equal([])
    })
  })

  describe('that stops', () => {
    it('leaves the fleet, and tells nothing of the proof that ends with it', async () => {
      const { told, heart, member, begin, pass } = aMember()
      await begin()
      await member.leave()
      expect(heart.ends).to.deep.equal(['end', 'close'])
      expect(await pass(1)).to.equal(false)
      expect(told).to.deep.equal([])
    })

    it('without a word only closes the heart', async () => {
      const { heart, member, begin } = aMember()
      await begin()
      member.abandon()
      expect(heart.ends).to.deep.equal(['close'])
    })

    for (const how of ['retire', 'leave', 'abandon'] as const) {
      it(`begins no other session after ${how}, and still tells that its own has died`, async () => {
        const { clock, told, heart, member, begin } = aMember()
        await begin()
        await member[how]()
        await heart.die('silent')
        await clock.advance(60_000)
        expect(heart.sessions).to.have.length(1)
        expect(told.map(line => line.split(' ')[0])).to.deep.equal(['let', 'died'])
        expect(member.id).to.equal(undefined)
      })
    }

    it('has not begun where it is told to stop before it has joined', async () => {
      const { told, heart, member } = aMember()
      const starting = member.start()
      member.retire()
      await heart.acknowledge()
      await starting
      expect(told).to.deep.equal(['heard 0'])
    })
  })
})
