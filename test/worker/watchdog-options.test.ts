import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { resolveStall } from '../../src/worker/watchdog-options.ts'

describe('resolveStall', () => {
  it('is a minute, or two calls to Kinesis if they may take longer', () => {
    expect(resolveStall(undefined, 10_000)).to.equal(60_000)
    expect(resolveStall({}, 120_000)).to.equal(240_000)
  })

  it('keeps what is given, from two calls to Kinesis to an hour', () => {
    expect(resolveStall({ stallMs: 20_000 }, 10_000)).to.equal(20_000)
    expect(resolveStall({ stallMs: 3_600_000 }, 10_000)).to.equal(3_600_000)
    for (const stallMs of [19_999, 3_600_001, Number.POSITIVE_INFINITY, '60s' as never]) {
      expect(() => resolveStall({ stallMs }, 10_000), String(stallMs))
        .to.throw(OptionError, 'from 20,000 to 3,600,000 milliseconds')
        .with.property('option', 'watchdog.stallMs')
    }
  })

  it('has a hint for a misspelt name', () => {
    expect(() => resolveStall({ stalMs: 5 } as never, 10_000)).to.throw(OptionError, 'Did you mean stallMs?')
    expect(() => resolveStall(60_000 as never, 10_000)).to.throw(OptionError, 'is 60000, expected an object')
  })
})
