import { expect } from 'chai'
import { seededRandom } from '../../src/runtime/random.ts'
import { type Sleeper, WakeQueue } from '../../src/testing/wake-queue.ts'
import { seeds } from '../support/seeds.ts'

/** Takes everything there is, and says what was called. */
function drained(queue: WakeQueue, woken: unknown[]): unknown[] {
  for (let wake = queue.take(); wake !== undefined; wake = queue.take()) wake()
  return woken
}

describe('WakeQueue', () => {
  it('hands out sleepers by time, those of the same time in the order in which they came', () => {
    const queue = new WakeQueue()
    const woken: string[] = []
    for (const [name, atMs] of [
      ['late', 30],
      ['early', 10],
      ['also late', 30],
      ['also early', 10]
    ] as const) {
      queue.add(atMs, () => woken.push(name))
    }
    expect(queue.nextAtMs()).to.equal(10)
    expect(drained(queue, woken)).to.deep.equal(['early', 'also early', 'late', 'also late'])
    expect([queue.size, queue.nextAtMs()]).to.deep.equal([0, Number.POSITIVE_INFINITY])
  })

  it('never hands out a sleeper that was cancelled', () => {
    const queue = new WakeQueue()
    const woken: string[] = []
    const first = queue.add(10, () => woken.push('first'))
    queue.add(20, () => woken.push('second'))
    queue.cancel(first)
    queue.cancel(first)
    expect([queue.size, queue.nextAtMs()]).to.deep.equal([1, 20])
    expect(drained(queue, woken)).to.deep.equal(['second'])
  })

  it('is not disturbed by cancelling what was taken', () => {
    const queue = new WakeQueue()
    const taken = queue.add(10, () => {})
    queue.add(20, () => {})
    queue.take()
    queue.cancel(taken)
    expect(queue.size).to.equal(1)
  })

  it('does not keep what was cancelled for long', () => {
    const queue = new WakeQueue()
    const sleepers = Array.from({ length: 1_000 }, (_, index) => queue.add(index, () => {}))
    for (const sleeper of sleepers.slice(1)) queue.cancel(sleeper)
    expect([queue.size, queue.nextAtMs()]).to.deep.equal([1, 0])
  })

  for (const seed of seeds(5)) {
    it(`orders whatever comes and goes (SEED=${seed})`, () => {
      const random = seededRandom(seed)
      const queue = new WakeQueue()
      let expected: Sleeper[] = []
      const order: number[] = []
      for (let step = 0; step < 3_000; step++) {
        const draw = random.next()
        if (draw < 0.5) {
          const sleeper = queue.add(Math.floor(random.next() * 50), () => order.push(sleeper.turn))
          expected.push(sleeper)
        } else if (draw < 0.75 && expected.length > 0) {
          const [cancelled] = expected.splice(Math.floor(random.next() * expected.length), 1)
          if (cancelled) queue.cancel(cancelled)
        } else {
          expected.sort((a, b) => a.atMs - b.atMs || a.turn - b.turn)
          const next = expected[0]?.turn
          queue.take()?.()
          expected = expected.slice(1)
          expect(order.at(-1), `SEED=${seed}`).to.equal(next ?? order.at(-1))
        }
        expect(queue.size, `SEED=${seed}`).to.equal(expected.length)
      }
    })
  }
})
