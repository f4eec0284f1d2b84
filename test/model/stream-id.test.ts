import { expect } from 'chai'
import { arnLike, leaseKeyOf, parseStreamId, streamIdOf } from '../../src/model/stream-id.ts'

const streamArn = 'arn:aws-cn:kinesis:cn-north-1:123456789012:stream/orders.eu_1'

describe('streamIdOf', () => {
  it('is account, name and creation epoch, as KCL writes it', () => {
    expect(streamIdOf({ streamArn, creationEpoch: 1_700_000_000 })).to.equal('123456789012:orders.eu_1:1700000000')
  })

  for (const identity of [
    { streamArn, creationEpoch: 0 },
    { streamArn, creationEpoch: 1.5 },
    { streamArn: 'orders', creationEpoch: 5 },
    { streamArn: `${streamArn}/consumer/app:1`, creationEpoch: 5 }
  ]) {
    it(`is none of ${identity.streamArn} at ${identity.creationEpoch}`, () => {
      expect(() => streamIdOf(identity)).to.throw(RangeError, identity.streamArn)
    })
  }
})

describe('parseStreamId', () => {
  it('takes apart what streamIdOf made', () => {
    const parts = { accountId: '123456789012', streamName: 'orders.eu_1', creationEpoch: 1_700_000_000 }
    expect(parseStreamId(streamIdOf({ streamArn, creationEpoch: 1_700_000_000 }))).to.deep.equal(parts)
  })

  for (const text of [
    'orders',
    '1:orders:0',
    ':orders:5',
    '1::5',
    '1:orders:5:shardId-000000000000',
    '1:orders:-5',
    ''
  ]) {
    it(`finds none in ${JSON.stringify(text)}`, () => expect(parseStreamId(text)).to.equal(undefined))
  }
})

describe('leaseKeyOf', () => {
  it('is the shard id, with the stream before it where several share the table', () => {
    expect(leaseKeyOf(undefined, 'shardId-000000000000')).to.equal('shardId-000000000000')
    expect(leaseKeyOf('1:orders:5', 'shardId-000000000000')).to.equal('1:orders:5:shardId-000000000000')
  })
})

describe('arnLike', () => {
  const parts = { accountId: '210987654321', streamName: 'clicks', creationEpoch: 5 }

  it('takes region and partition from another stream', () => {
    expect(arnLike(streamArn, parts)).to.equal('arn:aws-cn:kinesis:cn-north-1:210987654321:stream/clicks')
  })

  it('guesses where there is none', () => {
    expect(arnLike('', parts)).to.equal('arn:aws:kinesis:us-east-1:210987654321:stream/clicks')
  })
})
