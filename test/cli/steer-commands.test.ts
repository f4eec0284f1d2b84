import { expect } from 'chai'
import { CliFleet } from '../support/cli-fleet.ts'
import { holderOf } from '../support/fleet.ts'

const SHARD = 'shardId-000000000001'

describe('millrace release, pause, resume and move', () => {
  let fleet: CliFleet

  beforeEach(async () => {
    fleet = new CliFleet()
    await fleet.start()
  })

  afterEach(() => fleet.world.stopAll())

  it('pauses a shard until it is resumed, and the status says for what', async () => {
    await fleet.world.clock.advance(10_000)
    expect(await fleet.run('pause', '--shard', '1', '--why', 'repairs', '--yes'), fleet.rig.stderr.text).to.equal(0)
    expect(fleet.rig.stdout.text).to.equal('shard 1 paused\n')
    await fleet.world.clock.advance(30_000)
    expect(await fleet.run('status', '--no-lag')).to.equal(0)
    expect(fleet.rig.stdout.text)
      .to.include('on hold: shard 1, for repairs by')
      .and.match(/^ +1 {2}held/m)
    expect(await fleet.run('resume', '--shard', '1')).to.equal(0)
    expect(fleet.rig.stdout.text).to.equal('1 shard resumed\n')
    await fleet.world.clock.advance(30_000)
    expect(holderOf(fleet.world, SHARD).name).to.match(/^w[12]$/)
    expect(await fleet.run('resume')).to.equal(0)
    expect(fleet.rig.stdout.text).to.equal('nothing was paused\n')
  })

  it('has leases given back, which are given out again', async () => {
    expect(await fleet.run('release', '--yes', '--json')).to.equal(0)
    expect(fleet.rig.stdout.objects[0]?.released).to.have.lengthOf(4)
    await fleet.world.clock.advance(30_000)
    expect(fleet.world.loads()).to.deep.equal([2, 2])
  })

  it('sends a shard to a worker', async () => {
    const from = holderOf(fleet.world, SHARD).name
    const to = from === 'w1' ? 'w2' : 'w1'
    expect(await fleet.run('move', '1', to), fleet.rig.stderr.text).to.equal(0)
    expect(fleet.rig.stdout.text).to.equal(`shard 1 moved from ${from} to ${to}\n`)
    expect(await fleet.run('move', '1', 'nobody')).to.equal(1)
    expect(fleet.rig.stderr.text).to.include('nobody')
  })

  it('asks before it takes shards from workers, and does nothing without a yes', async () => {
    for (const [command, words] of [
      ['release', 'This has all shards of app drained and given back'],
      ['pause', 'This stops the reading of all shards by app, until millrace resume']
    ] as const) {
      expect(await fleet.run(command)).to.equal(2)
      expect(fleet.rig.stderr.text).to.include('there is nobody to ask').and.include(words)
    }
    expect(fleet.world.loads()).to.deep.equal([2, 2])
  })

  it('says what is wrong with a flag, and with a shard that there is none of', async () => {
    expect(await fleet.run('release', '--yes', '--timeout', 'soon')).to.equal(2)
    expect(await fleet.run('release', '--yes', '--shard', '99')).to.equal(1)
    expect(fleet.rig.stderr.text).to.include('shardId-000000000099')
  })
})
