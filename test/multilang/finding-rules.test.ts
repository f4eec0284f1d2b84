import { expect } from 'chai'
import { findingText, levelOf, problemText } from '../../src/multilang/finding-rules.ts'
import type { Finding, FindingKind } from '../../src/multilang/property-rules.ts'

const finding = (kind: FindingKind, more: object = {}): Finding => ({
  kind,
  property: 'key',
  line: 3,
  told: 'why',
  ...more
})

describe('levelOf', () => {
  const LEVELS: Readonly<Record<FindingKind, string>> = {
    ...{ honoured: 'debug', missing: 'info', 'no-effect': 'info', adjusted: 'warn', 'not-applied': 'warn' },
    ...{ unknown: 'warn', overridden: 'warn', ignored: 'warn' }
  }
  for (const [kind, level] of Object.entries(LEVELS)) {
    it(`is ${level} for ${kind}`, () => expect(levelOf(finding(kind as FindingKind))).to.equal(level))
  }
})

describe('findingText', () => {
  it('says the entry, and what it comes to', () => {
    expect(findingText(finding('honoured', { value: '1' }))).to.equal('key=1: why')
    expect(findingText(finding('no-effect', { value: '1' }))).to.equal('key=1: no effect; why')
    expect(findingText(finding('not-applied', { value: '0' }))).to.equal('key=0: not applied, why')
    expect(findingText(finding('overridden'))).to.equal('key: does not count, why')
    expect(findingText(finding('ignored'))).to.equal('key: ignored, why')
    expect(findingText(finding('unknown'))).to.equal('key: why')
    expect(findingText(finding('adjusted', { value: '1' }))).to.equal('key=1: why')
    expect(findingText(finding('missing'))).to.equal('key, which is not there: why')
  })
})

describe('problemText', () => {
  it('says where, as compilers do', () => {
    expect(problemText('a.properties', { property: 'key', line: 3, problem: 'is wrong' })).to.equal(
      'a.properties:3: key is wrong'
    )
    expect(problemText('a.properties', { property: 'key', problem: 'is missing' })).to.equal(
      'a.properties: key is missing'
    )
  })
})
