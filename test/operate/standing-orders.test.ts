import { expect } from 'chai'
import type { ControlStore } from '../../src/leases/control-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { HOLD_LAPSE_MS } from '../../src/leases/order-rules.ts'
import { OperationError } from '../../src/model/errors.ts'
import type { FleetContext, OperationProgress } from '../../src/operate/fleet-context.ts'
import { type StandingHold, whileHeld } from '../../src/operate/standing-orders.ts'
import { deferred } from '../../src/runtime/deferred.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const ALONE = { leases: 'all', why: 'a reset', isAlone: true } as const

/** Several operators at one table. Each can stand still, as a process that is suspended. */
function operators() {
  const clock = new VirtualClock()
  const table = memoryLeaseStore()
  const kinesis = new FakeKinesis({ clock })
  kinesis.createStream('clicks', 1)
  const operator = (by: string, seed: number) => {
    let thaw: Promise<void> | undefined
    const slowly =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        await thaw
        return call(...args)
      }
    const control: ControlStore = {
      ...table.control,
      orders: slowly(table.control.orders),
      replaceOrders: slowly(table.control.replaceOrders)
    }
    const context: FleetContext = {
      ...{ applicationName: 'counter', kinesis: kinesis.port('clicks'), store: table, control, clock },
      ...{ random: seededRandom(seed), by, durationMs: 10_000 }
    }
    const freeze = (ms: number): void => {
      thaw = clock.sleep(ms)
    }
    return { context, freeze }
  }
  return { clock, control: table.control, ann: operator('ann', 1), bob: operator('bob', 2) }
}

describe('whileHeld', () => {
  it('beats while it works, and lets go afterwards whatever came of it', async () => {
    const { clock, control, ann } = operators()
    const working = whileHeld(ann.context, { leases: ['x'], why: 'a release' }, { timeoutMs: 1 }, async () => {
      await clock.sleep(35_000)
      throw new Error('no')
    }).catch((error: unknown) => error)
    await clock.advance(34_000)
    expect((await control.orders()).holds[0]).to.deep.include({ beat: 3, by: 'ann', leases: ['x'] })
    await clock.advance(2_000)
    expect(await working).to.have.property('message', 'no')
    expect((await control.orders()).holds).to.deep.equal([])
  })

  it('has those who write rows go one after the other, and says for whom one waits', async () => {
    const { clock, ann, bob } = operators()
    const done: string[] = []
    const said: OperationProgress[] = []
    const first = whileHeld(ann.context, ALONE, { timeoutMs: 60_000 }, async () => {
      await clock.sleep(80_000)
      done.push('ann')
    })
    await clock.advance(1_000)
    const operation = { timeoutMs: 120_000, onProgress: (progress: OperationProgress) => void said.push(progress) }
    const second = whileHeld(bob.context, { ...ALONE, leases: ['x'] }, operation, async () => void done.push('bob'))
    await clock.advance(70_000)
    expect(done, 'a hold that beats does not lapse').to.deep.equal([])
    await clock.advance(15_000)
    await Promise.all([first, second])
    expect(done).to.deep.equal(['ann', 'bob'])
    expect(said[0]).to.deep.equal({ step: 'queueing', left: [], behind: 'a reset by ann' })
  })

  it('lets those go ahead at once who write other rows, or none', async () => {
    const { clock, ann, bob } = operators()
    let isOver = false
    void whileHeld(ann.context, { ...ALONE, leases: ['x'] }, { timeoutMs: 1 }, () => clock.sleep(30_000))
    await clock.advance(100)
    const others = [
      whileHeld(bob.context, { ...ALONE, leases: ['y'] }, { timeoutMs: 1 }, async () => {}),
      whileHeld(bob.context, { leases: 'all', why: 'a release' }, { timeoutMs: 1 }, async () => {})
    ]
    void Promise.all(others).then(() => {
      isOver = true
    })
    await clock.advance(1_000)
    expect(isOver).to.equal(true)
    await clock.advance(30_000)
  })

  it('gives up where somebody else does not come to an end, and says who', async () => {
    const { clock, control, ann, bob } = operators()
    void whileHeld(ann.context, ALONE, { timeoutMs: 1 }, () => clock.sleep(100_000))
    await clock.advance(100)
    const refused = whileHeld(bob.context, ALONE, { timeoutMs: 5_000 }, async () => {}).catch((error: unknown) => error)
    await clock.advance(10_000)
    const error = (await refused) as OperationError
    expect(error).to.be.instanceOf(OperationError).and.have.property('because', 'busy')
    expect(error.message).to.match(/a reset by ann is still under way.*Nothing was changed/)
    expect((await control.orders()).holds.map(({ by }) => by)).to.deep.equal(['ann'])
    await clock.advance(100_000)
  })

  it('waits no longer than a minute for one who was killed, also where no leader finds out', async () => {
    const { clock, ann, bob } = operators()
    void whileHeld(ann.context, ALONE, { timeoutMs: 1 }, () => new Promise<never>(() => {}))
    await clock.advance(1_000)
    ann.freeze(10_000_000)
    let tookMs: number | undefined
    const fromMs = clock.monotonicMs()
    void whileHeld(bob.context, ALONE, { timeoutMs: 180_000 }, async () => {
      tookMs = clock.monotonicMs() - fromMs
    })
    await clock.advance(HOLD_LAPSE_MS + 15_000)
    expect(tookMs).to.be.within(HOLD_LAPSE_MS, HOLD_LAPSE_MS + 12_000)
  })

  it('tells one who stood still that the hold had lapsed, and refuses to go on beside another one', async () => {
    const { clock, control, ann, bob } = operators()
    const holding = deferred()
    let hold: StandingHold | undefined
    void whileHeld(ann.context, ALONE, { timeoutMs: 1 }, async standing => {
      hold = standing
      await holding.promise
    })
    await clock.advance(1_000)
    if (hold === undefined) return expect.fail('it did not begin')
    let lapses = await Promise.all([hold.confirm()])
    expect(lapses).to.deep.equal([0])

    ann.freeze(90_000)
    void whileHeld(bob.context, ALONE, { timeoutMs: 180_000 }, () => clock.sleep(60_000))
    await clock.advance(89_000)
    expect((await control.orders()).holds.map(({ by }) => by)).to.deep.equal(['bob'])
    await clock.advance(2_000)
    const error = await hold.confirm().catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(OperationError).and.have.property('because', 'changed-meanwhile')
    await clock.advance(60_000)
    lapses = await Promise.all([hold.confirm()])
    expect(lapses[0], 'bob is done').to.be.greaterThan(0)
    expect((await control.orders()).holds.map(({ by }) => by)).to.deep.equal(['ann'])
    holding.resolve()
    await clock.advance(1_000)
    expect((await control.orders()).holds).to.deep.equal([])
  })
})
