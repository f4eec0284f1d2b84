import { expect } from 'chai'
import type { Lease } from '../../src/model/lease.ts'
import { couldBeOf, judgeIdentity } from '../../src/shards/identity-rules.ts'
import { A_STREAM, aLease, aShard, shardId } from '../support/builders.ts'

const { stream: _, ...kclLease } = aLease({ shardId: shardId(9) })
const earlier = (number: number): Lease =>
  aLease({ shardId: shardId(number), stream: { ...A_STREAM, creationEpoch: A_STREAM.creationEpoch - 1 } })

describe('judgeIdentity', () => {
  it('accepts an empty table, leases of the stream, and leases that name none', () => {
    expect(judgeIdentity([], A_STREAM)).to.deep.equal({ kind: 'ours' })
    expect(judgeIdentity([aLease(), kclLease], A_STREAM)).to.deep.equal({ kind: 'ours' })
  })

  it('finds the leases of an earlier stream of the same name', () => {
    const leases = [aLease(), earlier(1), earlier(2), kclLease]
    expect(judgeIdentity(leases, A_STREAM)).to.deep.equal({ kind: 'recreated', leases: [earlier(1), earlier(2)] })
  })

  it('takes leases that name no stream for those of the earlier one if no lease is of the present one', () => {
    const leases = [earlier(1), kclLease]
    expect(judgeIdentity(leases, A_STREAM)).to.deep.equal({ kind: 'recreated', leases })
  })

  it('names another stream first, even among leases of an earlier one', () => {
    const streamArn = 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks'
    const another = aLease({ stream: { ...A_STREAM, streamArn } })
    expect(judgeIdentity([earlier(1), another], A_STREAM)).to.deep.equal({ kind: 'another-stream', streamArn })
  })
})

describe('couldBeOf', () => {
  const named = (...numbers: number[]): Lease[] =>
    numbers.map(number => ({ ...kclLease, leaseKey: shardId(number), shardId: shardId(number) }))
  const shards = [aShard({ shardId: shardId(5) }), aShard({ shardId: shardId(6) })]

  it('accepts leases of which one is of a listed shard', () => {
    expect(couldBeOf(named(1, 6, 77), shards)).to.equal(true)
  })

  it('accepts leases of shards that can all have expired', () => {
    expect(couldBeOf(named(1, 4), shards)).to.equal(true)
  })

  it('refuses leases of shards that cannot have been of the stream', () => {
    expect(couldBeOf(named(1, 7), shards)).to.equal(false)
    const foreign = { ...kclLease, leaseKey: 'partition-1', shardId: 'partition-1' }
    expect(couldBeOf([foreign], shards)).to.equal(false)
  })

  it('accepts an empty table, and one in which a row names its stream', () => {
    expect(couldBeOf([], shards)).to.equal(true)
    expect(couldBeOf([...named(77), aLease({ shardId: shardId(78) })], shards)).to.equal(true)
  })

  it('knows the ids of shards of DynamoDB tables, which have the time in them', () => {
    const { stream: _, ...lease } = aLease({ shardId: 'shardId-00000001414562045508-2bac9cd2' })
    const listed = (shardId: string) => [aShard({ shardId })]
    expect(couldBeOf([lease], listed('shardId-00000001414576573621-f55eea83'))).to.equal(true)
    expect(couldBeOf([lease], listed('shardId-00000001400000000000-f55eea83'))).to.equal(false)
  })
})
