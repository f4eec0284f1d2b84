import { expect } from 'chai'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { SharedTurns } from '../../src/runtime/shared-turns.ts'

/** An event loop: what waits for the next turn, and what time it is. */
class EventLoop {
  #nowMs = 1_000
  #next: (() => void)[] = []
  readonly clock: Clock = {
    ...systemClock,
    monotonicMs: () => this.#nowMs,
    sleep: () => new Promise(resolve => this.#next.push(resolve))
  }

  /** One turn: everybody who waited for it, in order, each with all that follows at once. */
  async turn(othersMs = 0): Promise<void> {
    this.#nowMs += othersMs
    const due = this.#next
    this.#next = []
    for (const wake of due) {
      wake()
      for (let i = 0; i < 10; i++) await undefined
    }
  }

  work(ms: number): void {
    this.#nowMs += ms
  }
}

describe('SharedTurns', () => {
  /** Pieces of work that have become due at once, as `name` and milliseconds. What was done is told by turn. */
  function aCrowd(...pieces: readonly (readonly [name: string, ms: number])[]) {
    const loop = new EventLoop()
    const turns = new SharedTurns(loop.clock)
    let done: string[] = []
    const add = (name: string, ms: number): void => {
      void turns.next().then(() => {
        done.push(name)
        loop.work(ms)
      })
    }
    for (const [name, ms] of pieces) add(name, ms)
    const turn = async (othersMs?: number): Promise<string> => {
      done = []
      await loop.turn(othersMs)
      return done.join(' ')
    }
    return { add, turn }
  }

  it('begins nothing more in a turn that has taken eight milliseconds, and goes on in order', async () => {
    const { turn } = aCrowd(['a', 3], ['b', 3], ['c', 30], ['d', 1], ['e', 9], ['f', 1])
    expect([await turn(), await turn(), await turn(), await turn()]).to.deep.equal(['a b c', 'd e', 'f', ''])
  })

  it('lets those that come later wait behind those that had to wait', async () => {
    const { add, turn } = aCrowd(['a', 20], ['b', 20], ['c', 20])
    expect(await turn()).to.equal('a')
    add('d', 1)
    expect(await turn()).to.equal('b')
    expect(await turn()).to.equal('c')
    expect(await turn()).to.equal('d')
  })

  it('does more in a turn while everything else takes long', async () => {
    const pieces = Array.from({ length: 12 }, (_, i) => [String(i), 5] as const)
    const { turn } = aCrowd(...pieces)
    expect([await turn(), await turn(60), await turn(0)]).to.deep.equal(['0 1', '2 3 4 5 6', '7 8'])
  })

  it('waits for a turn even where nobody else does', async () => {
    const { add, turn } = aCrowd()
    add('a', 1)
    expect(await turn()).to.equal('a')
    add('b', 1)
    expect(await turn()).to.equal('b')
  })
})
