import { expect } from 'chai'
import {
  durationMs,
  oneOf,
  pointInTime,
  quoted,
  startPosition,
  streamToMake,
  wholeNumber
} from '../../src/cli/value-rules.ts'
import { OptionError } from '../../src/model/errors.ts'

const NOW = Date.parse('2026-11-27T12:00:00Z')

function refusal(work: () => unknown): string {
  try {
    return `none: ${JSON.stringify(work())}`
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return (error as Error).message
  }
}

describe('wholeNumber', () => {
  it('takes digits within the range, and nothing that only looks like them', () => {
    expect(wholeNumber('--n', '10', { min: 1, max: 10 })).to.equal(10)
    for (const text of ['0', '11', '-1', '1.5', '1e1', '0x1', '', ' 1', 'ten']) {
      expect(refusal(() => wholeNumber('--n', text, { min: 1, max: 10 }))).to.equal(
        `Option --n: is ${JSON.stringify(text)}, expected a whole number from 1 to 10`
      )
    }
  })
})

describe('durationMs', () => {
  it('knows milliseconds to days', () => {
    const texts = ['250ms', '30s', '5m', '2h', '7d', '1.5s']
    expect(texts.map(text => durationMs('--grace', text))).to.deep.equal([
      250, 30_000, 300_000, 7_200_000, 604_800_000, 1_500
    ])
    for (const text of ['30', 's', '-1s', '1 s', '1w']) {
      expect(refusal(() => durationMs('--grace', text))).to.include('expected a duration such as')
    }
  })
})

describe('pointInTime', () => {
  const at = (text: string): string => pointInTime('--at', text, NOW).toISOString()

  it('knows times with a zone, dates, epochs, and how long ago', () => {
    expect(at('2026-11-27T10:00:00Z')).to.equal('2026-11-27T10:00:00.000Z')
    expect(at('2026-11-27T10:00:00.250+01:00')).to.equal('2026-11-27T09:00:00.250Z')
    expect(at('2026-11-27T10:00Z')).to.equal('2026-11-27T10:00:00.000Z')
    expect(at('2026-11-26')).to.equal('2026-11-26T00:00:00.000Z')
    expect(at('1700000000')).to.equal('2023-11-14T22:13:20.000Z')
    expect(at('1700000000123')).to.equal('2023-11-14T22:13:20.123Z')
    expect(at('90m')).to.equal('2026-11-27T10:30:00.000Z')
  })

  it('refuses a time without a zone, which would be another one elsewhere', () => {
    for (const text of ['2026-11-27T10:00:00', '27.11.2026', 'yesterday', '2026-13-01', '2026-11-27 10:00Z', '17']) {
      expect(refusal(() => at(text))).to.include(`Option --at: is "${text}", expected a time with its zone`)
    }
  })

  it('refuses the future', () => {
    expect(refusal(() => at('2026-11-27T12:00:01Z'))).to.equal(
      'Option --at: is 2026-11-27T12:00:01.000Z, which is in the future'
    )
  })
})

describe('startPosition', () => {
  it('knows the two words, in the spelling of Kinesis as well, and times', () => {
    for (const text of ['trim', 'TRIM_HORIZON', 'trim-horizon']) {
      expect(startPosition('--from', text, NOW)).to.equal('TRIM_HORIZON')
    }
    expect(startPosition('--from', 'LATEST', NOW)).to.equal('LATEST')
    expect(startPosition('--from', '5m', NOW)).to.deep.equal(new Date(NOW - 300_000))
  })

  it('says what there is', () => {
    expect(refusal(() => startPosition('--from', 'oldest', NOW))).to.match(
      /^Option --from: is "oldest", expected trim, latest, a time with its zone/
    )
    expect(refusal(() => startPosition('--from', '2030-01-01', NOW))).to.include('in the future')
  })
})

describe('streamToMake', () => {
  it('is a name, with how many shards', () => {
    expect(streamToMake('--stream', 'orders:4')).to.deep.equal({ streamName: 'orders', shards: 4 })
    expect(streamToMake('--stream', 'orders')).to.deep.equal({ streamName: 'orders', shards: 1 })
    for (const text of ['', ':4', 'a b:4', 'orders:', 'orders:x']) {
      expect(refusal(() => streamToMake('--stream', text))).to.include('such as orders:4')
    }
    expect(refusal(() => streamToMake('--stream', 'orders:0'))).to.include('from 1 to 1,000')
  })
})

describe('oneOf', () => {
  it('is one of the words', () => {
    expect(oneOf('--log-level', 'warn', ['info', 'warn'])).to.equal('warn')
    expect(refusal(() => oneOf('--log-level', 'WARN', ['info', 'warn', 'error']))).to.equal(
      'Option --log-level: is "WARN", expected info, warn or error'
    )
  })
})

describe('quoted', () => {
  it('is short', () => {
    expect(quoted('a"b')).to.equal('"a\\"b"')
    expect(quoted('x'.repeat(200))).to.have.lengthOf(83)
  })
})
