import { expect } from 'chai'
import { DecodeTurns } from '../../src/kinesis/decode-turns.ts'
import type { Clock } from '../../src/runtime/clock.ts'

/** A clock on which each look at it takes a while, so that work on it does. */
function slowClock(stepMs: number): Clock & { readonly sleeps: number } {
  let nowMs = 0
  let sleeps = 0
  return {
    monotonicMs: () => (nowMs += stepMs),
    epochMs: () => 0,
    get sleeps() {
      return sleeps
    },
    sleep: () => {
      sleeps += 1
      return new Promise(resolve => setImmediate(resolve))
    }
  }
}

function* steps(name: string, count: number, journal: string[]): Generator<void, string, void> {
  for (let step = 1; step <= count; step++) {
    journal.push(`${name}${step}`)
    yield
  }
  return name
}

const LONG = { bytes: 10_000_000 }
const SHORT = { bytes: 100_000 }

describe('DecodeTurns', () => {
  it('lets the event loop run when a slice is over', async () => {
    const clock = slowClock(1)
    const turns = new DecodeTurns(clock)
    expect(await turns.run(steps('a', 100, []), LONG)).to.equal('a')
    expect(clock.sleeps).to.be.within(5, 20)
  })

  it('takes longer slices where the event loop takes long for everything else', async () => {
    for (const [othersMs, slices] of [
      [0, 12],
      [40, 12],
      [1_000, 5]
    ] as const) {
      let nowMs = 0
      let count = 0
      const clock: Clock = {
        monotonicMs: () => (nowMs += 1),
        epochMs: () => 0,
        sleep: async () => {
          nowMs += othersMs
          count += 1
        }
      }
      await new DecodeTurns(clock).run(steps('a', 100, []), LONG)
      expect(count).to.be.within(slices - 1, slices + 2)
    }
  })

  it('takes long work in the order in which it came, one after the other', async () => {
    const journal: string[] = []
    const clock = slowClock(100)
    const turns = new DecodeTurns(clock)
    const work = ['a', 'b', 'c'].map(name => turns.run(steps(name, 2, journal), LONG))
    expect(await Promise.all(work)).to.deep.equal(['a', 'b', 'c'])
    expect(journal).to.deep.equal(['a1', 'a2', 'b1', 'b2', 'c1', 'c2'])
  })

  it('takes short work before long work that waits, and in turns with it', async () => {
    const journal: string[] = []
    const turns = new DecodeTurns(slowClock(100))
    const work = [
      ...['a', 'b'].map(name => turns.run(steps(name, 3, journal), LONG)),
      ...['x', 'y'].map(name => turns.run(steps(name, 2, journal), SHORT))
    ]
    await Promise.all(work)
    expect(journal.join(' ')).to.equal('a1 x1 a2 x2 a3 y1 b1 y2 b2 b3')
  })

  it('says how much is not decoded to its end, until it is, or failed, or was given up', async () => {
    const turns = new DecodeTurns(slowClock(100))
    const stop = new AbortController()
    // biome-ignore lint/correctness/useYield: it throws at once
    const failing = (function* (): Generator<void, never, void> {
      throw new Error('odd')
    })()
    const work = [
      turns.run(steps('a', 3, []), LONG),
      turns.run(failing, SHORT),
      turns.run(steps('b', 3, []), { ...SHORT, signal: stop.signal })
    ]
    expect(turns.waitingBytes).to.equal(LONG.bytes + 2 * SHORT.bytes)
    stop.abort(new Error('enough'))
    expect(turns.waitingBytes).to.equal(LONG.bytes + SHORT.bytes)
    await Promise.allSettled(work)
    expect(turns.waitingBytes).to.equal(0)
  })

  it('goes on after work that throws', async () => {
    const turns = new DecodeTurns(slowClock(0))
    // biome-ignore lint/correctness/useYield: it throws at once
    const failing = (function* (): Generator<void, never, void> {
      throw new Error('odd')
    })()
    const failed = turns.run(failing, LONG).catch((error: unknown) => error)
    const next = turns.run(steps('b', 1, []), LONG)
    expect(await failed).to.have.property('message', 'odd')
    expect(await next).to.equal('b')
  })

  it('stops between two slices when the signal aborts, and lets the next one go on', async () => {
    const journal: string[] = []
    const turns = new DecodeTurns(slowClock(100))
    const stop = new AbortController()
    const stopped = turns
      .run(steps('a', 1_000, journal), { ...LONG, signal: stop.signal })
      .catch((error: unknown) => error)
    const next = turns.run(steps('b', 1, journal), LONG)
    await new Promise(resolve => setImmediate(resolve))
    const reason = new Error('enough')
    stop.abort(reason)
    expect(await stopped).to.equal(reason)
    expect(await next).to.equal('b')
    expect(journal.length).to.be.below(100)
  })

  it('lets go of work that waits as soon as its signal aborts', async () => {
    const journal: string[] = []
    const turns = new DecodeTurns(slowClock(100))
    const stop = new AbortController()
    const first = turns.run(steps('a', 1_000, journal), LONG)
    const waiting = turns.run(steps('b', 1, journal), { ...LONG, signal: stop.signal }).catch((error: unknown) => error)
    const reason = new Error('enough')
    stop.abort(reason)
    expect(await waiting).to.equal(reason)
    expect(journal.length).to.be.below(100)
    expect(await first).to.equal('a')
    expect(journal).not.to.include('b1')
    const early = turns.run(steps('c', 1, journal), { ...SHORT, signal: stop.signal }).catch((error: unknown) => error)
    expect(await early).to.equal(reason)
    expect(journal).not.to.include('c1')
  })
})
