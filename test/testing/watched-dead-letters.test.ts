import { expect } from 'chai'
import type { DeadLetter } from '../../src/processor/dead-letter.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import type { LetterConduct } from '../../src/testing/conduct.ts'
import { Gate, gatedClock } from '../../src/testing/gate.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { watchedDeadLetters } from '../../src/testing/watched-dead-letters.ts'

const LETTERS = [{ sequenceNumber: '10' } as DeadLetter]
const SIGNAL = { signal: new AbortController().signal }

function aDestination(conduct: LetterConduct = {}, seed = 1) {
  const clock = new VirtualClock()
  const gate = new Gate('w1')
  const told: string[] = []
  const watch = {
    storing: (letters: readonly DeadLetter[]) => told.push(`storing ${letters.length}`),
    stored: (letters: readonly DeadLetter[]) => told.push(`stored ${letters.length}`)
  }
  const inner = { name: 'a shelf', store: async () => void told.push('store') }
  const options = { watch, conduct, gate, clock: gatedClock(clock, gate), random: seededRandom(seed) }
  return { clock, gate, told, destination: watchedDeadLetters(inner, options), options }
}

describe('watchedDeadLetters', () => {
  it('tells of what is to be stored, and of what is', async () => {
    const { told, destination } = aDestination()
    await destination.store(LETTERS, SIGNAL)
    expect(told).to.deep.equal(['storing 1', 'store', 'stored 1'])
    expect(destination.name).to.equal('a shelf')
  })

  it('takes a function, too', async () => {
    const { told, options } = aDestination()
    await watchedDeadLetters(() => void told.push('called'), options).store(LETTERS, SIGNAL)
    expect(told).to.deep.equal(['storing 1', 'called', 'stored 1'])
  })

  it('fails by conduct, before or after the letters are stored', async () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 10; seed++) {
      const { told, destination } = aDestination({ failing: 1 }, seed)
      const outcome = await destination.store(LETTERS, SIGNAL).catch(() => 'failed')
      expect(outcome).to.equal('failed')
      seen.add(told.join())
    }
    expect([...seen].sort()).to.deep.equal(['storing 1', 'storing 1,store,stored 1'])
  })

  it('answers nothing while the process stands still', async () => {
    const { clock, gate, destination } = aDestination({ takesMs: [100, 100] })
    let isStored = false
    void destination.store(LETTERS, SIGNAL).then(() => {
      isStored = true
    })
    gate.close()
    await clock.advance(1_000)
    expect(isStored).to.equal(false)
    gate.open()
    await clock.settle()
    expect(isStored).to.equal(true)
  })
})
