import { expect } from 'chai'
import { OptionError } from '../../src/index.ts'
import { resolveStop } from '../../src/worker/stop-options.ts'

describe('resolveStop', () => {
  it('waits for half a minute by default, for a worker that does not come back', () => {
    expect(resolveStop({})).to.deep.equal({ graceMs: 30_000, restarting: false })
  })

  it('keeps what is given, at both ends of the range', () => {
    expect(resolveStop({ graceMs: 0, restarting: true })).to.deep.equal({ graceMs: 0, restarting: true })
    expect(resolveStop({ graceMs: 3_600_000 }).graceMs).to.equal(3_600_000)
  })

  for (const [given, expected] of [
    [{ graceMs: -1 }, 'stop.graceMs: is -1, expected a whole number from 0 to 3,600,000 milliseconds'],
    [{ graceMs: '5' }, 'stop.graceMs: is "5"'],
    [{ restarting: 1 }, 'stop.restarting: is 1'],
    [{ grace: 5 }, 'stop.grace: is not known (it is 5)']
  ] as const) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      expect(() => resolveStop(given as never)).to.throw(OptionError, expected)
    })
  }
})
