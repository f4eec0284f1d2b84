import { expect } from 'chai'
import { CliFleet } from '../support/cli-fleet.ts'

describe('millrace status', () => {
  it('shows a fleet, and ends with 0 if all is well', async () => {
    const fleet = new CliFleet()
    await fleet.start()
    expect(await fleet.run('status', '--observe', '5s'), fleet.rig.stderr.text).to.equal(0)
    const { text } = fleet.rig.stdout
    expect(text).to.match(/^orders → app {2}● green {2}2 workers {2}4 leases {2}0 ms behind$/m)
    for (const line of [/^A +w1 +active, leads +2 +0/m, /^B +w2 +active +2 +0/m]) expect(text).to.match(line)
    for (const shard of [0, 1, 2, 3]) expect(text).to.match(new RegExp(`^ +${shard}  read +w[12] +0 ms`, 'm'))
    await fleet.world.stopAll()
  })

  it('ends with 3 if something is red', async () => {
    const fleet = new CliFleet()
    await fleet.start()
    await fleet.world.stopAll()
    expect(await fleet.run('status', '--no-lag')).to.equal(3)
    expect(fleet.rig.stdout.text).to.include('● 4 red').and.include('nobody reads it: no worker is there')
  })

  it('gives a program everything in one line of JSON, with the lag unless it is not wanted', async () => {
    const fleet = new CliFleet()
    await fleet.start(1)
    expect(await fleet.run('status', '--json')).to.equal(0)
    const [told = {}] = fleet.rig.stdout.objects
    expect(told).to.include({ applicationName: 'app', color: 'green' })
    expect(told.lag).to.deep.include({ maxLagMs: 0 })
    expect(await fleet.run('status', '--json', '--no-lag')).to.equal(0)
    expect(fleet.rig.stdout.objects[0]).to.not.have.property('lag')
    await fleet.world.stopAll()
  })

  it('refuses what it does not understand', async () => {
    const fleet = new CliFleet()
    expect(await fleet.run('status', '--observe', 'long')).to.equal(2)
    expect(fleet.rig.stderr.text).to.include('Option --observe')
  })
})
