import { expect } from 'chai'
import { progressTeller, shardIdsOf, shardsInWords, withFleet } from '../../src/cli/fleet-flags.ts'
import { OptionError } from '../../src/model/errors.ts'
import { CliRig } from '../support/cli-rig.ts'

describe('withFleet', () => {
  it('opens the fleet that the flags name, and closes it however the work ends', async () => {
    const rig = new CliRig()
    const flags = { app: 'printer', stream: 'orders' }
    expect(await withFleet(rig.context({ region: 'us-east-1' }), flags, async fleet => typeof fleet.status)).to.equal(
      'function'
    )
    const arn = { app: 'printer', stream: 'arn:aws:kinesis:us-east-1:123456789012:stream/orders', table: 'leases' }
    await withFleet(rig.context(), arn, async () => undefined)
    const failure = await withFleet(rig.context(), flags, () => Promise.reject(new Error('x'))).catch(error => error)
    expect(failure.message).to.equal('x')
  })

  it('says which flag is missing or wrong', async () => {
    const rig = new CliRig()
    const refusal = (flags: object): Promise<Error> =>
      withFleet(rig.context(), flags, async () => undefined).then(
        () => new Error('none'),
        error => error
      )
    expect((await refusal({ stream: 'orders' })).message).to.equal(
      'Option --app: is missing, expected the name of the application'
    )
    expect((await refusal({ app: 'printer' })).message).to.include('Option --stream: is missing')
    expect(await refusal({ app: 'a b', stream: 'orders' })).to.be.instanceOf(OptionError)
  })
})

describe('shardIdsOf and shardsInWords', () => {
  it('take ids and numbers, and nothing for all', () => {
    expect(shardIdsOf({})).to.deep.equal({})
    expect(shardIdsOf({ shard: ['3', 'shardId-000000000012', 'odd'] })).to.deep.equal({
      shardIds: ['shardId-000000000003', 'shardId-000000000012', 'odd']
    })
    expect(shardsInWords({})).to.equal('all shards')
    expect(shardsInWords({ shard: ['shardId-000000000012'] })).to.equal('shard 12')
    expect(shardsInWords({ shard: ['3', 'shardId-000000000012'] })).to.equal('shards 3, 12')
  })
})

describe('progressTeller', () => {
  it('tells a person when something has changed, and a program nothing', () => {
    const rig = new CliRig()
    const tell = progressTeller(rig.context())
    const left = Array.from({ length: 7 }, (_, n) => ({ shardId: `shardId-00000000000${n}`, owner: 'w1/abcdefgh' }))
    tell({ step: 'waiting', left })
    tell({ step: 'waiting', left })
    tell({ step: 'waiting', left: left.slice(0, 1) })
    tell({ step: 'writing', left })
    tell({ step: 'done', left: [] })
    expect(rig.stderr.lines).to.deep.equal([
      'waiting until shards 0 (w1), 1 (w1), 2 (w1), 3 (w1), 4 (w1) and 2 more are let go of',
      'waiting until shard 0 (w1) is let go of',
      'writing 7 leases'
    ])
    rig.stderr.text = ''
    progressTeller(rig.context({ json: true }))({ step: 'waiting', left })
    expect(rig.stderr.text).to.equal('')
  })
})
