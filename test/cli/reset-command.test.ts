import { expect } from 'chai'
import { CliFleet } from '../support/cli-fleet.ts'

describe('millrace reset', () => {
  let fleet: CliFleet

  beforeEach(async () => {
    fleet = new CliFleet()
    await fleet.start()
  })

  afterEach(() => fleet.world.stopAll())

  it('has a fleet that runs begin again at a time: nothing before it, everything after', async () => {
    const { world } = fleet
    world.putMany(40)
    await world.untilDelivered()
    await world.clock.advance(60_000)
    const at = new Date(world.clock.epochMs()).toISOString()
    world.putMany(40)
    await world.untilDelivered()
    const before = world.ledger.deliveries.length
    expect(await fleet.run('reset', '--at', at, '--yes'), fleet.rig.stderr.text).to.equal(0)
    expect(fleet.rig.stdout.text).to.match(/4 shards reset; everybody had let go after/)
    expect(fleet.rig.stderr.text).to.include('waiting until shards').and.include('writing 4 leases')
    await world.clock.advance(30_000)
    const again = world.ledger.deliveries.slice(before).map(({ id }) => id)
    expect(new Set(again)).to.deep.equal(new Set(Array.from({ length: 40 }, (_, n) => n + 40)))
  })

  it('tells a program what it has written', async () => {
    expect(await fleet.run('reset', '--to-trim', '--shard', '2', '--yes', '--json')).to.equal(0)
    const [told = {}] = fleet.rig.stdout.objects
    expect(told.shards).to.deep.include.members([
      { shardId: 'shardId-000000000002', from: 'TRIM_HORIZON', to: 'TRIM_HORIZON' }
    ])
    expect(told).to.include.keys('waitedMs', 'atMs')
  })

  it('says what it will do and asks', async () => {
    for (const [argv, words] of [
      [['--to-latest'], 'This has app begin again, in all shards, with what arrives from now on'],
      [['--to-trim'], 'everything is processed again'],
      [['--at', '5m', '--shard', '1'], 'in shard 1, with the first record that arrived at 20'],
      [['--sequence', '123', '--shard', '1'], 'after record 123']
    ] as const) {
      expect(await fleet.run('reset', ...argv)).to.equal(2)
      expect(fleet.rig.stderr.text).to.include(words).and.include('there is nobody to ask')
    }
  })

  it('refuses no position, two of them, and what is none, before it asks', async () => {
    for (const [argv, words] of [
      [[], 'Option --at: is missing, expected --to-latest, --to-trim, --at or --sequence'],
      [['--to-latest', '--at', '5m'], 'Option --at: is given beside --to-latest'],
      [['--at', 'yesterday'], 'Option --at: is "yesterday"'],
      [['--sequence', 'x'], 'Option --sequence: is "x"'],
      [['--sequence', '123', '--yes'], 'expected exactly one shard']
    ] as const) {
      expect(await fleet.run('reset', ...argv), argv.join(' ')).to.equal(2)
      expect(fleet.rig.stderr.text).to.include(words)
    }
  })
})
