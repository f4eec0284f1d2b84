import { expect } from 'chai'
import { checkName, checkNumber } from '../../src/dead-letters/option-rules.ts'
import { OptionError } from '../../src/model/errors.ts'

describe('checkName', () => {
  it('takes a text, and says what was expected if there is none', () => {
    expect(checkName('path', 'x', 'a path')).to.equal('x')
    expect(() => checkName('path', '', 'a path')).to.throw(OptionError, 'Option path: is "", expected a path')
    expect(() => checkName('path', undefined, 'a path')).to.throw(
      OptionError,
      'Option path: is missing, expected a path'
    )
    expect(() => checkName('path', ['x'], 'a path')).to.throw(OptionError, 'Option path: is an array, expected a path')
  })
})

describe('checkNumber', () => {
  it('takes whole numbers within the range, both ends included', () => {
    const range = { min: 1, max: 5, byDefault: 3 }
    expect([undefined, 1, 5].map(value => checkNumber('n', value, range))).to.deep.equal([3, 1, 5])
    for (const value of [0, 6, 1.5, '2', null, Number.NaN, {}]) {
      expect(() => checkNumber('n', value, range)).to.throw(
        OptionError,
        /^Option n: is .*, expected a whole number from 1 to 5$/
      )
    }
    expect(checkNumber('n', Number.POSITIVE_INFINITY, { ...range, max: Number.POSITIVE_INFINITY })).to.equal(Infinity)
  })
})
