import { expect } from 'chai'
import { CliFleet } from '../support/cli-fleet.ts'

describe('millrace doctor', () => {
  it('finds nothing that is wrong with a fleet that is well', async () => {
    const fleet = new CliFleet()
    await fleet.start()
    await fleet.world.clock.advance(30_000)
    expect(await fleet.run('doctor', '--observe', '2s'), fleet.rig.stdout.text).to.equal(0)
    expect(fleet.rig.stdout.text).to.not.match(/^error/m)
    await fleet.world.stopAll()
  })

  it('ends with 3 where records are not processed, and says what to do', async () => {
    const fleet = new CliFleet()
    await fleet.start()
    await fleet.world.stopAll()
    expect(await fleet.run('doctor')).to.equal(3)
    expect(fleet.rig.stdout.text).to.match(/^error: .+\n {2}→ .+/m)
    expect(await fleet.run('doctor', '--json')).to.equal(3)
    const [told = {}] = fleet.rig.stdout.objects
    expect((told.findings as { severity: string }[])[0])
      .to.include({ severity: 'error' })
      .and.include.keys('advice', 'code')
  })

  it('has something to say where there is no such stream', async () => {
    const fleet = new CliFleet()
    fleet.world.kinesis.deleteStream('orders')
    expect(await fleet.run('doctor')).to.equal(3)
    expect(fleet.rig.stdout.text).to.include('error:')
  })
})
