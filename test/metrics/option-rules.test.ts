import { expect } from 'chai'
import { checkLevel, checkMethods, checkNamespace, checkOptions, shown } from '../../src/metrics/option-rules.ts'
import { OptionError } from '../../src/model/errors.ts'

describe('checkOptions', () => {
  it('refuses what is no object, and names that are not known', () => {
    checkOptions({ to: 1 }, ['to'])
    expect(() => checkOptions(null, ['to', 'level'])).to.throw(OptionError, /options.*an object with to, level/)
    expect(() => checkOptions({ zzz: 1 }, ['to', 'level'])).to.throw(OptionError, /zzz.*one of to, level/)
  })
})

describe('checkLevel', () => {
  it('takes one of two words', () => {
    expect([checkLevel(undefined, 'shard'), checkLevel('worker', 'shard')]).to.deep.equal(['shard', 'worker'])
    expect(() => checkLevel('fleet', 'shard')).to.throw(OptionError, `"fleet", expected 'worker' or 'shard'`)
  })
})

describe('checkNamespace', () => {
  it('takes what CloudWatch takes', () => {
    expect([checkNamespace(undefined), checkNamespace('Team/Orders #1')]).to.deep.equal(['Millrace', 'Team/Orders #1'])
    for (const bad of ['', 'AWS/Kinesis', 'a'.repeat(256), 'ünder', 3]) {
      expect(() => checkNamespace(bad), String(bad)).to.throw(OptionError, /namespace/)
    }
  })
})

describe('checkMethods', () => {
  it('refuses what lacks a method', () => {
    checkMethods('to', { write: () => {} }, ['write'], 'a stream')
    for (const bad of [undefined, {}, { write: 1 }]) {
      expect(() => checkMethods('to', bad, ['write'], 'a stream')).to.throw(OptionError, /to.*expected a stream/)
    }
  })
})

describe('shown', () => {
  it('is short, and never more than the kind of what is no primitive', () => {
    const values = [undefined, 'x', 'a'.repeat(100), () => {}, [1], { secret: 1 }, 7, null]
    expect(values.map(shown)).to.deep.equal([
      ...['missing', '"x"', `"${'a'.repeat(80)}…"`, 'a function', 'an array', 'an object', '7', 'null']
    ])
  })
})
