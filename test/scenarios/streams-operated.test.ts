// A fleet of several streams, seen from outside: each of its streams by name, and the others in its status. What steers is refused.

import { stripVTControlCharacters } from 'node:util'
import { expect } from 'chai'
import { createColors } from 'picocolors'
import { statusPage } from '../../src/cli/status-page.ts'
import { type Fleet, OperationError, openFleet } from '../../src/operate/index.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { StreamsWorld } from '../support/streams-world.ts'

describe('a fleet of several streams, from outside', () => {
  let world: StreamsWorld

  const fleetOf = (streamName: string): Fleet =>
    openFleet(
      { applicationName: 'app', streamName, by: 'me', logger: silentLogger },
      {
        ...{ clock: world.clock, random: seededRandom(9), kinesis: world.kinesis.port(streamName) },
        ...{ store: world.store, control: world.table.control }
      }
    )

  beforeEach(async () => {
    world = new StreamsWorld()
    for (const [name, shards] of [
      ['a', 2],
      ['b', 3]
    ] as const)
      world.kinesis.createStream(name, shards)
    await world.start({ streams: [{ streamName: 'a' }, { streamName: 'b' }], handler: () => new Promise(() => {}) })
    await world.clock.advance(10_000)
  })

  afterEach(() => world.stop())

  it('has the shards of one stream in its status, and says which streams there are', async () => {
    const status = await world.over(fleetOf('b').status())
    expect(status.leases.map(({ shardId, state }) => `${shardId.slice(-1)} ${state}`)).to.deep.equal([
      '0 read',
      '1 read',
      '2 read'
    ])
    expect([status.color, status.holes]).to.deep.equal(['green', []])
    const streams = status.streams?.map(({ streamName, leases, owned }) => [streamName, leases, owned])
    expect(streams).to.deep.equal([
      ['a', 2, 2],
      ['b', 3, 3]
    ])
    const page = statusPage({ status, lag: undefined, columns: 120, colors: createColors(false) })
    expect(page.map(stripVTControlCharacters)).to.include(
      '2 streams in the table, with leases that are read: a (2), b (3)'
    )
  })

  it('measures the lag of one stream', async () => {
    world.put('a', 20)
    await world.clock.advance(60_000)
    const { maxLagMs = 0, shards } = await world.over(fleetOf('a').lag())
    expect(maxLagMs).to.be.within(55_000, 65_000)
    expect(shards).to.have.lengthOf(2)
    expect(await world.over(fleetOf('b').lag())).to.include({ maxLagMs: 0 })
    const one = await world.over(fleetOf('a').lag({ shardIds: ['shardId-000000000001'] }))
    expect(one.shards.map(({ shardId }) => shardId)).to.deep.equal(['shardId-000000000001'])
  })

  it('refuses to steer, to reset and to export it, and changes nothing', async () => {
    const fleet = fleetOf('a')
    const before = await world.rows()
    const refusals: readonly (() => Promise<unknown>)[] = [
      () => fleet.reset('TRIM_HORIZON'),
      () => fleet.release(),
      () => fleet.pause(),
      () => fleet.move('shardId-000000000000', 'w1'),
      () => fleet.exportCheckpoints()
    ]
    for (const refusal of refusals) {
      const error = await world.over(refusal()).catch((failure: unknown) => failure)
      expect(error).to.be.instanceOf(OperationError).with.property('message').that.includes('leases of several streams')
    }
    expect(await world.rows()).to.deep.equal(before)
    expect((await world.table.control.orders({ consistent: true })).holds).to.deep.equal([])
  })
})
