import { expect } from 'chai'
import { checkLevel, checkMethods, checkNamespace } from '../../src/metrics/option-rules.ts'
import { OptionError } from '../../src/model/errors.ts'

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
