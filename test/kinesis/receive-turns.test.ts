import { expect } from 'chai'
import { type Receiver, ReceiveTurns } from '../../src/kinesis/receive-turns.ts'
import type { Clock } from '../../src/runtime/clock.ts'

const MIB = 1024 * 1024
/** What one turn of the event loop may take. */
const TURN = 4 * MIB

/** Turns of the event loop that come when they are told to. */
class Turns implements Clock {
  nowMs = 0
  #next: (() => void)[] = []

  monotonicMs(): number {
    return this.nowMs
  }

  epochMs(): number {
    return this.nowMs
  }

  sleep(): Promise<void> {
    return new Promise(resolve => this.#next.push(resolve))
  }

  /** Whether somebody waits for the next one. */
  get areAwaited(): boolean {
    return this.#next.length > 0
  }

  async next(): Promise<void> {
    for (const resolve of this.#next.splice(0)) resolve()
    await new Promise(resolve => setImmediate(resolve))
  }
}

function world(): {
  readonly clock: Turns
  readonly turns: ReceiveTurns
  readonly journal: string[]
  readonly backlog: { bytes: number }
  receiver(name: string): Receiver
} {
  const clock = new Turns()
  const journal: string[] = []
  const backlog = { bytes: 0 }
  const receiver = (name: string): Receiver => ({
    resume: () => void journal.push(`${name} on`),
    pause: () => void journal.push(`${name} off`)
  })
  return { clock, turns: new ReceiveTurns(clock, () => backlog.bytes), journal, backlog, receiver }
}

describe('ReceiveTurns', () => {
  it('lets everybody begin at once while there is little to receive', async () => {
    const { clock, turns, journal, receiver } = world()
    const all = ['a', 'b', 'c', 'd', 'e', 'f'].map(receiver)
    for (const each of all) turns.enter(each)
    for (let turn = 0; turn < 10; turn++) {
      for (const each of all) turns.took(each, 65_536)
      await clock.next()
    }
    expect(journal).to.deep.equal(['a on', 'b on', 'c on', 'd on', 'e on', 'f on'])
  })

  it('pauses whoever brings more once a turn has had its share, and goes on with the next', async () => {
    const { clock, turns, journal, receiver } = world()
    const [a, b, c] = ['a', 'b', 'c'].map(receiver) as [Receiver, Receiver, Receiver]
    for (const each of [a, b]) turns.enter(each)
    turns.took(a, TURN - 1)
    turns.took(b, 1)
    // What had come before it was paused.
    turns.took(b, 65_536)
    turns.took(a, 65_536)
    turns.enter(c)
    expect(journal.splice(0)).to.deep.equal(['a on', 'b on', 'b off', 'a off'])
    await clock.next()
    expect(journal.splice(0)).to.deep.equal(['b on', 'a on', 'c on'])
    turns.took(a, 65_536)
    await clock.next()
    expect(journal).to.deep.equal([])
  })

  it('resumes a few with each turn, those that have begun first, however little they bring', async () => {
    const { clock, turns, journal, receiver } = world()
    const begun = ['a', 'b', 'c', 'd', 'e', 'f'].map(receiver)
    for (const each of begun) turns.enter(each)
    for (const each of begun) turns.took(each, TURN)
    for (const name of ['u', 'v', 'w', 'x']) turns.enter(receiver(name))
    journal.length = 0
    await clock.next()
    expect(journal.splice(0)).to.deep.equal(['a on', 'b on', 'c on', 'd on'])
    await clock.next()
    expect(journal.splice(0)).to.deep.equal(['e on', 'f on', 'u on', 'v on'])
    await clock.next()
    expect(journal).to.deep.equal(['w on', 'x on'])
  })

  it('has no further body begun while much waits to be decoded, but those that are begun go on', async () => {
    const { clock, turns, journal, backlog, receiver } = world()
    const a = receiver('a')
    turns.enter(a)
    turns.took(a, TURN)
    backlog.bytes = 16 * MIB
    turns.enter(receiver('b'))
    turns.enter(receiver('c'))
    for (let turn = 0; turn < 3; turn++) await clock.next()
    expect(journal.splice(0)).to.deep.equal(['a on', 'a off', 'a on'])
    backlog.bytes = 16 * MIB - 1
    await clock.next()
    expect(journal).to.deep.equal(['b on', 'c on'])
  })

  it('has nobody wait longer than five seconds for what is to be decoded', async () => {
    const { clock, turns, journal, backlog, receiver } = world()
    backlog.bytes = 100 * MIB
    turns.enter(receiver('a'))
    clock.nowMs = 4_999
    turns.enter(receiver('b'))
    await clock.next()
    expect(journal).to.deep.equal([])
    clock.nowMs = 5_000
    await clock.next()
    expect(journal).to.deep.equal(['a on'])
  })

  it('keeps nobody who has left, and does not watch the turns when nobody waits', async () => {
    const { clock, turns, journal, backlog, receiver } = world()
    const [a, b] = ['a', 'b'].map(receiver) as [Receiver, Receiver]
    turns.enter(a)
    turns.took(a, TURN)
    turns.enter(b)
    turns.leave(a)
    turns.leave(b)
    await clock.next()
    expect(journal).to.deep.equal(['a on', 'a off'])
    expect(clock.areAwaited).to.equal(false)
    backlog.bytes = 16 * MIB
    turns.enter(b)
    expect(clock.areAwaited).to.equal(true)
    backlog.bytes = 0
    await clock.next()
    expect(journal.at(-1)).to.equal('b on')
    expect(clock.areAwaited).to.equal(false)
  })
})
