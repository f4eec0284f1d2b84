import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { checkOptions, shown } from '../../src/model/option-rules.ts'

describe('checkOptions', () => {
  it('refuses what is no object, and names that are not known', () => {
    checkOptions({ to: 1 }, ['to'])
    expect(() => checkOptions(null, ['to', 'level'])).to.throw(OptionError, /options.*an object with to, level/)
    expect(() => checkOptions({ zzz: 1 }, ['to', 'level'])).to.throw(OptionError, /zzz.*one of to, level/)
  })

  it('says what was wrong with them', () => {
    checkOptions({ path: 'x' }, ['path', 'other'])
    expect(() => checkOptions(undefined, ['path'])).to.throw(
      OptionError,
      'options: is missing, expected an object with path'
    )
    expect(() => checkOptions({ Path: 'x' }, ['path'])).to.throw(
      OptionError,
      'Option Path: is not known; expected one of path'
    )
  })
})

describe('shown', () => {
  it('is short, and never more than the kind of what is no primitive', () => {
    const values = [
      undefined,
      'x',
      'a'.repeat(100),
      () => {},
      [1],
      { secret: 1 },
      7,
      null,
      new Date(0),
      new Date(Number.NaN)
    ]
    expect(values.map(shown)).to.deep.equal([
      ...['missing', '"x"', `"${'a'.repeat(80)}…"`, 'a function', 'an array', 'an object', '7', 'null'],
      ...['1970-01-01T00:00:00.000Z', 'an invalid Date']
    ])
  })
})
