import { expect } from 'chai'
import { CliFleet } from '../support/cli-fleet.ts'

describe('millrace cost', () => {
  it('says what each thing costs, how that is known, and all of it together', async () => {
    const fleet = new CliFleet()
    await fleet.start()
    expect(await fleet.run('cost', '--observe', '5s'), fleet.rig.stderr.text).to.equal(0)
    const { text } = fleet.rig.stdout
    expect(text).to.match(/^2 workers, 4 leases; 0\.00 lease writes a second, counted for 5\.0 s$/m)
    expect(text).to.match(/^heartbeats +estimated +[\d,]+ units +\d+\.\d\d$/m)
    expect(text).to.match(/^checkpoints +measured +[\d,]+ units +\d+\.\d\d$/m)
    const [, total] = /^in all +(\d+\.\d\d)$/m.exec(text) ?? []
    const parts = Array.from(text.matchAll(/(?:estimated|measured).* (\d+\.\d\d)$/gm), ([, amount]) => Number(amount))
    expect(Number(total)).to.be.closeTo(
      parts.reduce((a, b) => a + b, 0),
      0.05
    )
    expect(await fleet.run('cost', '--json')).to.equal(0)
    expect(fleet.rig.stdout.objects[0]).to.include({ workers: 2, leases: 4 })
    await fleet.world.stopAll()
  })

  it('refuses a time that is too short to count in', async () => {
    const fleet = new CliFleet()
    expect(await fleet.run('cost', '--observe', '1ms')).to.equal(2)
  })
})
