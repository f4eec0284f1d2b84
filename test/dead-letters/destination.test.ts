import { expect } from 'chai'
import { asDestination } from '../../src/dead-letters/destination.ts'
import { OptionError } from '../../src/model/errors.ts'
import type { DeadLetter } from '../../src/processor/dead-letter.ts'
import { aLetter, noAbort, rejection } from './letters.ts'

describe('asDestination', () => {
  it('is the destination that was given', () => {
    const given = { name: 'mine', store: async () => {} }
    expect(asDestination(given)).to.equal(given)
  })

  it('makes a destination of a function, which is waited for', async () => {
    const stored: DeadLetter[] = []
    const destination = asDestination(async function keep(letters, { signal }) {
      await Promise.resolve()
      expect(signal.aborted).to.equal(false)
      stored.push(...letters)
    })
    await destination.store([aLetter()], noAbort())
    expect(stored).to.deep.equal([aLetter()])
    expect(destination.name).to.equal('function keep')
    expect(asDestination(() => {}).name).to.equal('a function')
  })

  it('rejects with what a function throws', async () => {
    const destination = asDestination(() => {
      throw new Error('full')
    })
    expect((await rejection(destination.store([aLetter()], noAbort()))).message).to.equal('full')
  })

  it('refuses what is neither, by the name of the option', () => {
    for (const [given, problem] of [
      [undefined, 'is missing'],
      ['sqs', 'is "sqs"'],
      [{ name: 'mine' }, 'is an object'],
      [{ store: () => {} }, 'has no name']
    ] as const) {
      expect(() => asDestination(given as never)).to.throw(
        OptionError,
        `Option deadLetters: ${problem}, expected a function of letters, or a destination with a name and a method store`
      )
    }
  })
})
