import { expect } from 'chai'
import { CliFleet } from '../support/cli-fleet.ts'

describe('millrace watch', () => {
  let fleet: CliFleet

  beforeEach(async () => {
    fleet = new CliFleet()
    fleet.rig.env = { NO_COLOR: '1' }
    await fleet.start()
  })

  afterEach(() => fleet.world.stopAll())

  it('shows the fleet again and again, until Ctrl-C', async () => {
    fleet.rig.stdout.isTTY = true
    const watching = fleet.begin('watch', '--every', '1s')
    await fleet.world.clock.advance(5_000)
    expect(fleet.rig.stdout.text).to.include('2 workers')
    await fleet.world.stopAll()
    await fleet.world.clock.advance(5_000)
    expect(fleet.rig.stdout.text).to.include('no workers')
    fleet.rig.signal()
    expect(await fleet.world.await(watching)).to.equal(0)
    expect(fleet.rig.stderr.text).to.equal('')
  })

  it('goes on when the services are away for a while', async () => {
    fleet.rig.stdout.isTTY = true
    const watching = fleet.begin('watch', '--every', '1s', '--no-lag')
    await fleet.world.clock.advance(3_000)
    fleet.world.kinesis.intercept = ({ name }) => {
      if (name === 'listShards') throw new Error('the network is gone')
    }
    await fleet.world.clock.advance(3_000)
    expect(fleet.rig.stdout.text).to.include('the network is gone')
    fleet.world.kinesis.intercept = undefined
    const before = fleet.rig.stdout.text.length
    await fleet.world.clock.advance(3_000)
    expect(fleet.rig.stdout.text.slice(before)).to.include('2 workers')
    fleet.rig.signal()
    expect(await fleet.world.await(watching)).to.equal(0)
  })

  it('gives a program a line of JSON for each look', async () => {
    const watching = fleet.begin('watch', '--every', '1s', '--json')
    await fleet.world.clock.advance(10_000)
    fleet.rig.signal()
    expect(await fleet.world.await(watching)).to.equal(0)
    expect(fleet.rig.stdout.objects.length).to.be.within(8, 11)
    expect(fleet.rig.stdout.objects.at(-1)).to.include({ color: 'green' }).and.include.keys('lag', 'workers')
  })

  it('refuses to draw where there is no terminal, and to look too often', async () => {
    expect(await fleet.run('watch')).to.equal(2)
    expect(fleet.rig.stderr.text).to.include('there is millrace status')
    expect(await fleet.run('watch', '--json', '--every', '10ms')).to.equal(2)
  })
})
