import { expect } from 'chai'
import { type Wire, WireChoice } from '../../src/kinesis/wire-choice.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

function choice(wished: Wire) {
  const clock = new VirtualClock()
  const changes: string[] = []
  return {
    clock,
    changes,
    choice: new WireChoice(wished, clock, (wire, because) => changes.push(`${wire}: ${because}`))
  }
}

describe('WireChoice', () => {
  it('is JSON for good where CBOR is not wished', async () => {
    const { choice: json, clock, changes } = choice('json')
    await clock.advance(10_000_000)
    expect(json.wire).to.equal('json')
    expect(changes).to.deep.equal([])
  })

  it('is JSON for an hour after CBOR has failed, and tells each change once', async () => {
    const { choice: cbor, clock, changes } = choice('cbor')
    cbor.cborWorked()
    expect(cbor.wire).to.equal('cbor')
    for (const round of [1, 2]) {
      cbor.cborFailed(`refused ${round}`)
      cbor.cborFailed('refused as well')
      // Of a call that was under way.
      cbor.cborWorked()
      await clock.advance(3_599_999)
      expect(cbor.wire).to.equal('json')
      await clock.advance(1)
      expect(cbor.wire).to.equal('cbor')
    }
    expect(changes).to.deep.equal(['json: refused 1'])
    cbor.cborWorked()
    expect(changes).to.deep.equal(['json: refused 1', 'cbor: the endpoint answers in CBOR again'])
  })
})
