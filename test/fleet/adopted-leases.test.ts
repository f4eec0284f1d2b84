import { expect } from 'chai'
import { AdoptedLeases } from '../../src/fleet/adopted-leases.ts'
import type { ClaimOutcome } from '../../src/leases/held-leases.ts'

function adopting(outcomes: Readonly<Record<string, ClaimOutcome | Error>>) {
  const claims: string[] = []
  let evt = 0
  const adopted: AdoptedLeases = new AdoptedLeases({
    claim: async leaseKey => {
      claims.push(`${leaseKey} ${adopted.evtOf(leaseKey)}`)
      const outcome = outcomes[leaseKey]
      if (outcome === undefined || outcome instanceof Error) throw outcome
      return outcome
    },
    tell: () => ++evt
  })
  return { adopted, claims }
}

describe('AdoptedLeases', () => {
  it('knows of what was claimed by which evt it was told, and of nothing else', async () => {
    const { adopted, claims } = adopting({ a: 'claimed', b: 'owned' })
    await adopted.adopt(['a', 'b'])
    expect([adopted.evtOf('a'), adopted.evtOf('b')]).to.deep.equal([1, undefined])
    expect(claims, 'until then nobody can know').to.deep.equal(['a Infinity', 'b Infinity'])
    await adopted.adopt(['a'])
    expect(claims).to.have.length(2)
    adopted.forget('a')
    expect(adopted.evtOf('a')).to.equal(undefined)
  })

  it('rejects with the first failure once all are over, and keeps what it has', async () => {
    const { adopted } = adopting({ a: new Error('broken'), b: 'claimed' })
    const failure = await adopted.adopt(['a', 'b']).catch(error => error.message)
    expect([failure, adopted.evtOf('a'), adopted.evtOf('b')]).to.deep.equal(['broken', undefined, 1])
    await adopted.whenOver()
    adopted.clear()
    expect(adopted.evtOf('b')).to.equal(undefined)
  })
})
