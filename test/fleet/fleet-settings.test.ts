import { expect } from 'chai'
import { fleetSettings } from '../../src/fleet/fleet-settings.ts'

describe('fleetSettings', () => {
  it('has the durations of the protocol at the default of 10 s', () => {
    expect(fleetSettings(10_000)).to.deep.equal({
      durationMs: 10_000,
      heartbeatMs: 3_000,
      hurryMs: 1_000,
      validMs: 8_000,
      stallLimitMs: 30_000,
      rebalanceDelayMs: 9_000,
      maxMoveFraction: 0.1,
      settleMs: 6_000,
      settleMaxMs: 30_000,
      revokeDelayMs: 3_000,
      fullScanMs: 300_000,
      deployHoldMs: 300_000,
      restartGraceMs: 30_000,
      drainTimeoutMs: 30_000,
      claimsAtOnce: 20
    })
  })

  for (const durationMs of [1_000, 2_000, 10_000, 60_000, 600_000]) {
    it(`fits together at ${durationMs} ms`, () => {
      const settings = fleetSettings(durationMs)
      const { heartbeatMs, hurryMs, validMs, stallLimitMs, settleMs, settleMaxMs, restartGraceMs } = settings
      // With clocks that differ by a fifth, who has run out of proof has stopped before anybody may claim.
      expect(validMs * 1.2).to.be.at.most(durationMs)
      expect(2 * heartbeatMs, 'one heartbeat may be lost').to.be.lessThan(validMs)
      expect(hurryMs).to.be.within(100, 1_000)
      expect(hurryMs).to.be.lessThan(heartbeatMs)
      expect(stallLimitMs).to.be.greaterThan(durationMs)
      expect(settleMs).to.be.lessThan(settleMaxMs)
      expect(restartGraceMs).to.be.at.least(30_000)
    })
  }

  it('scales with the duration, except for what has to do with the code of users and with deployments', () => {
    const [short, long] = [fleetSettings(2_000), fleetSettings(20_000)]
    const scaling = (Object.keys(short) as (keyof typeof short)[]).filter(name => long[name] === short[name] * 10)
    expect(scaling.sort()).to.deep.equal(
      [
        ...['durationMs', 'heartbeatMs', 'validMs', 'stallLimitMs', 'rebalanceDelayMs'],
        ...['settleMs', 'settleMaxMs', 'revokeDelayMs']
      ].sort()
    )
  })
})
