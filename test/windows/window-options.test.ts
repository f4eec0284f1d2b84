import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { resolveWindows, type TumblingWindowsOptions } from '../../src/windows/window-options.ts'
import { aRecord } from './window-world.ts'

const LEAST: TumblingWindowsOptions<unknown> = { windowMs: 60_000, open: () => 0, add: () => {}, close: () => {} }
const resolved = (more: object = {}) => resolveWindows({ ...LEAST, ...more })

describe('resolveWindows', () => {
  it('has defaults for everything but the length and what is done with records', () => {
    const { rules, idleMs, clock, late } = resolved()
    expect(rules).to.deep.equal({ windowMs: 60_000, allowedLatenessMs: 0, isLateMoved: true })
    expect(idleMs).to.equal(5_000)
    expect(clock).to.equal(systemClock)
    expect(late(aRecord(1, 1), { window: { startMs: 0, endMs: 1 }, shardId: '' })).to.equal(undefined)
  })

  it('moves late records only if nothing else is said', () => {
    const moved = ['next-window', 'drop', () => {}].map(late => resolved({ late }).rules.isLateMoved)
    expect(moved).to.deep.equal([true, false, false])
  })

  it('takes the time of arrival, or what the user says if that is earlier', () => {
    expect(resolved().timeOf(aRecord(1, 5, 1_000))).to.equal(1_000)
    expect(resolved({ timeOf: () => 700 }).timeOf(aRecord(1, 5, 1_000))).to.equal(700)
    expect(resolved({ timeOf: () => 1_700 }).timeOf(aRecord(1, 5, 1_000))).to.equal(1_000)
  })

  it('refuses a record without a time, and names it', () => {
    const { timeOf } = resolved({ timeOf: () => Number.NaN })
    expect(() => timeOf(aRecord(1, 5))).to.throw(
      TypeError,
      'timeOf of record 1000001#0 is NaN, expected epoch milliseconds'
    )
  })

  it('copies plain states, and refuses those it cannot copy', () => {
    const { copy } = resolved()
    const state = { counts: new Map([['key', [1, 2]]]) }
    expect(copy(state)).to.deep.equal(state)
    expect(copy(state)).to.not.equal(state)
    for (const value of [0, 'text', null, undefined, 7n]) expect(copy(value)).to.equal(value)
    class Sketch {}
    for (const value of [new Sketch(), Buffer.from('x'), () => {}, { add: () => {} }])
      expect(() => copy(value)).to.throw(
        OptionError,
        /^Option copy: is missing, but .*expected a function that copies a state/
      )
    expect(resolved({ copy: (given: unknown) => given }).copy(state)).to.equal(state)
  })

  for (const [problem, options, told] of [
    ['no length', { windowMs: undefined }, /windowMs: is missing/],
    [
      'a length that is too short',
      { windowMs: 999 },
      /windowMs: is 999, expected a whole number from 1,000 to 900,000/
    ],
    ['a length that is too long', { windowMs: 900_001 }, /windowMs: is 900001/],
    [
      'too much lateness',
      { allowedLatenessMs: 900_001 },
      /allowedLatenessMs: is 900001, expected .* from 0 to 900,000/
    ],
    ['a wait of less than nothing', { idleMs: -1 }, /idleMs: is -1/],
    ['nothing to open', { open: undefined }, /open: is missing, expected a function/],
    ['an add that is none', { add: 7 }, /add: is 7, expected a function/],
    ['a time that is none', { timeOf: 'arrivedAtMs' }, /timeOf: is "arrivedAtMs", expected a function/],
    [
      'an unknown word for late ones',
      { late: 'ignore' },
      /late: is "ignore", expected 'next-window', 'drop' or a function/
    ],
    ['a clock that is none', { clock: {} }, /clock: is an object, expected a clock/],
    ['an option that is none', { windowsMs: 1 }, /windowsMs: is not known.*Did you mean windowMs/]
  ] as const) {
    it(`refuses ${problem}`, () => {
      expect(() => resolved(options)).to.throw(OptionError, told)
    })
  }
})
