import { expect } from 'chai'
import { shardIdsOf, shardsInWords, withFleet } from '../../src/cli/fleet-flags.ts'
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

  it('opens the fleet that reads the stream of a table', async () => {
    const rig = new CliRig()
    for (const dynamodbStream of ['orders', 'arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026']) {
      const flags = { app: 'printer', dynamodbStream }
      expect(await withFleet(rig.context({ region: 'us-east-1' }), flags, async () => 'done')).to.equal('done')
    }
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
    expect((await refusal({ app: 'printer', stream: 'orders', dynamodbStream: 'orders' })).message).to.equal(
      'Option --dynamodb-stream: is orders beside --stream, expected one of the two'
    )
    expect((await refusal({ app: 'printer', dynamodbStream: 'o' })).message).to.include(
      'Option --dynamodb-stream: is "o"'
    )
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
