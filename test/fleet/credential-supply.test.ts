import { expect } from 'chai'
import type { AwsCredentials } from '../../src/dynamo/dynamo-connection.ts'
import { supplyCredentials } from '../../src/fleet/credential-supply.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const MINUTE_MS = 60_000

/** A supply whose provider gives what `next` says, and the times at which something was sent or failed. */
function aSupply(first: Partial<AwsCredentials>, next: (clock: VirtualClock) => Promise<Partial<AwsCredentials>>) {
  const clock = new VirtualClock(0)
  const keys = { accessKeyId: 'id', secretAccessKey: 'secret' }
  const sent: { atMs: number; expiresAtMs: number | undefined }[] = []
  const failedAtMs: number[] = []
  const supply = supplyCredentials({
    connection: { credentials: async () => ({ ...keys, ...(await next(clock)) }) },
    clock,
    first: { ...keys, ...first },
    send: ({ expiresAtMs }) => sent.push({ atMs: clock.monotonicMs(), expiresAtMs }),
    failed: () => failedAtMs.push(clock.monotonicMs())
  })
  return { clock, supply, sent, failedAtMs }
}

describe('supplyCredentials', () => {
  it('sends new ones in the last five minutes of the old ones, when the provider has them', async () => {
    const lastsMs = 15 * MINUTE_MS
    const { clock, sent } = aSupply({ expiresAtMs: lastsMs }, async now => ({ expiresAtMs: now.epochMs() + lastsMs }))
    await clock.advance(60 * MINUTE_MS)
    expect(sent[0]?.atMs).to.be.within(10 * MINUTE_MS, 11 * MINUTE_MS)
    expect(sent).to.have.length(5)
    for (const [i, { atMs }] of sent.entries())
      expect(atMs).to.be.below(i === 0 ? lastsMs : (sent[i - 1]?.expiresAtMs ?? 0))
  })

  it('looks each quarter of a minute while the provider has nothing newer, or fails', async () => {
    const { clock, sent } = aSupply({ expiresAtMs: 5 * MINUTE_MS }, async () => ({ expiresAtMs: 5 * MINUTE_MS }))
    await clock.advance(2 * MINUTE_MS)
    expect(sent.length).to.be.within(6, 8)

    const failing = aSupply({ expiresAtMs: 5 * MINUTE_MS }, async () => {
      throw new Error('no credentials')
    })
    await failing.clock.advance(2 * MINUTE_MS)
    expect(failing.sent).to.deep.equal([])
    expect(failing.failedAtMs.length).to.be.within(6, 8)
  })

  it('looks once an hour after those that do not expire', async () => {
    const { clock, sent } = aSupply({}, async () => ({}))
    await clock.advance(24 * 60 * MINUTE_MS)
    expect(sent).to.have.length(24)
  })

  it('looks at once when nudged, and no more once stopped', async () => {
    const { clock, supply, sent } = aSupply({}, async () => ({}))
    await clock.advance(MINUTE_MS)
    supply.nudge()
    await clock.settle()
    expect(sent.map(({ atMs }) => atMs)).to.deep.equal([MINUTE_MS])
    await supply.stop()
    expect(clock.sleeping).to.equal(0)
  })
})
