import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import {
  checkBoolean,
  checkCount,
  checkGroup,
  checkInteger,
  checkMethods,
  checkOneOf,
  checkText,
  show
} from '../../src/worker/option-checks.ts'

const RANGE = { min: 1, max: 2_000, unit: 'milliseconds' }

function problemOf(check: () => unknown): string {
  try {
    check()
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return (error as OptionError).message
  }
  throw new Error('Not refused')
}

describe('show', () => {
  const shown: readonly (readonly [unknown, string])[] = [
    ['text', '"text"'],
    ['"', '"\\""'],
    [7, '7'],
    [-0, '0'],
    [Number.NaN, 'NaN'],
    [7n, '7'],
    [true, 'true'],
    [null, 'null'],
    [undefined, 'missing'],
    [Symbol('s'), 'Symbol(s)'],
    [[1, 2], 'an array'],
    [{ secret: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [() => 'secret', 'a function'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), 'an invalid Date']
  ]
  for (const [value, expected] of shown) {
    it(`says ${expected}`, () => {
      expect(show(value)).to.equal(expected)
    })
  }

  it('cuts long text off', () => {
    expect(show('x'.repeat(1_000))).to.equal(`"${'x'.repeat(80)}…"`)
  })
})

describe('checkInteger', () => {
  it('takes both ends of the range, and the default for undefined only', () => {
    expect(checkInteger('a', 1, RANGE, 5)).to.equal(1)
    expect(checkInteger('a', 2_000, RANGE, 5)).to.equal(2_000)
    expect(checkInteger('a', undefined, RANGE, 5)).to.equal(5)
    expect(problemOf(() => checkInteger('a', null, RANGE, 5))).to.equal(
      'Option a: is null, expected a whole number from 1 to 2,000 milliseconds'
    )
  })

  it('refuses everything else', () => {
    for (const value of [0, 2_001, 1.5, '1', Number.NaN, Number.POSITIVE_INFINITY, 1n, true, {}]) {
      expect(problemOf(() => checkInteger('a.b', value, RANGE, 5))).to.include('a.b')
    }
  })
})

describe('checkCount', () => {
  it('takes Infinity too', () => {
    expect(checkCount('a', Number.POSITIVE_INFINITY, RANGE, 5)).to.equal(Number.POSITIVE_INFINITY)
    expect(checkCount('a', 7, RANGE, 5)).to.equal(7)
    expect(checkCount('a', undefined, RANGE, 5)).to.equal(5)
    for (const value of [Number.NEGATIVE_INFINITY, 0, '1']) {
      expect(problemOf(() => checkCount('a', value, RANGE, 5))).to.include('or Infinity')
    }
  })
})

describe('checkGroup', () => {
  it('takes an absent group as an empty one', () => {
    expect(checkGroup('a', undefined, ['b'])).to.deep.equal({})
  })

  it('refuses what is no object, and names that nobody knows', () => {
    for (const value of [null, 5, 'x', []] as unknown as object[]) {
      expect(problemOf(() => checkGroup('a', value, ['b']))).to.include('expected an object')
    }
    expect(problemOf(() => checkGroup('a', { c: 1 }, ['b']))).to.equal(
      'Option a.c: is not known (it is 1); expected one of b'
    )
    expect(problemOf(() => checkGroup('options', { c: 1 }, ['b']))).to.include('Option c:')
    expect(problemOf(() => checkGroup('a', JSON.parse('{"__proto__":1}'), ['b']))).to.include('a.__proto__')
  })
})

describe('checkText', () => {
  it('tells what is missing from what is wrong', () => {
    expect(checkText('a', 'x', /^x$/, 'an x')).to.equal('x')
    expect(problemOf(() => checkText('a', undefined, /^x$/, 'an x'))).to.equal('Option a: is missing, expected an x')
    expect(problemOf(() => checkText('a', 'y', /^x$/, 'an x'))).to.equal('Option a: is "y", expected an x')
    expect(problemOf(() => checkText('a', ['x'], /^x$/, 'an x'))).to.include('an array')
  })
})

describe('checkOneOf', () => {
  it('takes one of the words', () => {
    expect(checkOneOf('a', 'x', ['x', 'y'], 'y')).to.equal('x')
    expect(checkOneOf('a', undefined, ['x', 'y'], 'y')).to.equal('y')
    for (const value of ['X', null, 1, ['x']]) {
      expect(problemOf(() => checkOneOf('a', value, ['x', 'y'], 'y'))).to.include("expected 'x' or 'y'")
    }
  })
})

describe('checkBoolean', () => {
  it('takes true and false, and nothing that is only like them', () => {
    expect(checkBoolean('a', false, true)).to.equal(false)
    expect(checkBoolean('a', undefined, true)).to.equal(true)
    for (const value of [0, 'true', null]) {
      expect(problemOf(() => checkBoolean('a', value, true))).to.include('true or false')
    }
  })
})

describe('checkMethods', () => {
  it('takes an object, or a function, that has them all, inherited ones included', () => {
    class Base {
      go(): void {}
    }
    class Derived extends Base {
      stop(): void {}
    }
    const thing = new Derived()
    expect(checkMethods('a', thing, ['go', 'stop'], 'a thing')).to.equal(thing)
    const callable = Object.assign(() => {}, { go: () => {} })
    expect(checkMethods('a', callable, ['go'], 'a thing')).to.equal(callable)
    expect(checkMethods('a', undefined, ['go'], 'a thing')).to.equal(undefined)
  })

  it('names the methods that are missing', () => {
    expect(problemOf(() => checkMethods('a', { go: 1 }, ['go', 'stop'], 'a thing'))).to.equal(
      'Option a: is an object, expected a thing (without a method: go, stop)'
    )
    for (const value of [null, 'x', 5] as unknown as object[]) {
      expect(problemOf(() => checkMethods('a', value, ['go'], 'a thing'))).to.include('a thing')
    }
  })
})
