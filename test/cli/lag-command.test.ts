import { expect } from 'chai'
import { CliFleet } from '../support/cli-fleet.ts'

describe('millrace lag', () => {
  let fleet: CliFleet

  beforeEach(async () => {
    fleet = new CliFleet()
    await fleet.start(1)
  })

  it('is what nobody has processed, and grows while nobody does', async () => {
    expect(await fleet.run('lag', '--max', '1m')).to.equal(0)
    expect(fleet.rig.stdout.text).to.include('0 ms behind at most')
    await fleet.world.stopAll()
    fleet.world.putMany(50)
    await fleet.world.clock.advance(300_000)
    expect(await fleet.run('lag', '--max', '1m')).to.equal(3)
    expect(fleet.rig.stdout.text).to.match(/^5 m 0 s behind at most$/m)
    expect(await fleet.run('lag', '--max', '10m', '--json')).to.equal(0)
    const [told = {}] = fleet.rig.stdout.objects
    expect(told.maxLagMs).to.be.within(299_000, 302_000)
    expect(told.shards).to.have.lengthOf(4)
  })

  it('is of the shards that were asked for', async () => {
    expect(await fleet.run('lag', '--json', '--shard', '2')).to.equal(0)
    const [told = {}] = fleet.rig.stdout.objects
    expect((told.shards as { shardId: string }[]).map(({ shardId }) => shardId)).to.deep.equal(['shardId-000000000002'])
    await fleet.world.stopAll()
  })

  it('names owners of another kind as they are', async () => {
    await fleet.world.stopAll()
    const [row] = (await fleet.world.store.list()).leases
    if (row !== undefined)
      await fleet.world.store.replace(row, { ...row, owner: 'java-worker-1', counter: row.counter + 1 })
    await fleet.run('lag')
    expect(fleet.rig.stdout.text).to.match(/ java-worker-1$/m)
  })

  it('ends with 1 if a shard cannot be measured, and says why', async () => {
    fleet.world.kinesis.intercept = ({ name }) => {
      if (name === 'getShardIterator') throw new Error('not allowed')
    }
    expect(await fleet.run('lag')).to.equal(1)
    expect(fleet.rig.stdout.text).to.include('not allowed')
    fleet.world.kinesis.intercept = undefined
    await fleet.world.stopAll()
  })
})
