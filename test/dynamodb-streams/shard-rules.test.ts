import { expect } from 'chai'
import {
  checkTableStream,
  newestStream,
  partsOfArn,
  type SdkShard,
  shardsOf,
  shardsOpenAt,
  timeOfLabel
} from '../../src/dynamodb-streams/shard-rules.ts'
import { isClosed, isTip } from '../../src/model/shard.ts'

const MINUTE = 60_000
const T0 = 1_700_000_000_000
const idAt = (ms: number, suffix = 'aa'): string => `shardId-${String(ms).padStart(20, '0')}-${suffix}`
const arnOf = (label: string): string => `arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/${label}`

function listed(id: string, parent?: string, ending?: string): SdkShard {
  return {
    ShardId: id,
    ParentShardId: parent,
    SequenceNumberRange: { StartingSequenceNumber: '1', EndingSequenceNumber: ending }
  }
}

describe('shardsOf', () => {
  it('has the parents and the sequence numbers of shards, and no hash keys', () => {
    expect(shardsOf([listed('b', 'a', '9'), listed('c')], false)).to.deep.equal([
      { shardId: 'b', parentShardId: 'a', startingSequenceNumber: '1', endingSequenceNumber: '9' },
      { shardId: 'c', startingSequenceNumber: '1' }
    ])
  })

  it('takes a shard for closed that another one continues, also where the listing shows it open', () => {
    const [parent, child] = shardsOf([listed('a'), listed('b', 'a')], false)
    expect(parent && isClosed(parent)).to.equal(true)
    expect(child && isClosed(child)).to.equal(false)
  })

  it('knows the last shards of a stream that has ended', () => {
    const shards = shardsOf([listed('a', undefined, '5'), listed('b', 'a', '9')], true)
    expect(shards.map(isTip)).to.deep.equal([false, true])
    expect(shardsOf([listed('a', undefined, '5')], false).map(isTip)).to.deep.equal([false])
  })
})

describe('shardsOpenAt', () => {
  const lineage = [0, 240, 480].map(minutes => idAt(T0 + minutes * MINUTE))
  const shards = shardsOf(
    lineage.map((id, index) => listed(id, lineage[index - 1], index < 2 ? '9' : undefined)),
    false
  )
  const openAt = (minutes: number) => shardsOpenAt(shards, T0 + minutes * MINUTE)?.map(({ shardId }) => shardId)

  it('names the shards that were there at a time, by their ids', () => {
    expect(openAt(100)).to.deep.equal([lineage[0]])
    expect(openAt(300)).to.deep.equal([lineage[1]])
    expect(openAt(1_000)).to.deep.equal([lineage[2]])
  })

  it('rather names the one before: nobody promises what the time of an id means', () => {
    expect(openAt(245)).to.deep.equal([lineage[0]])
    expect(openAt(10)).to.deep.equal([])
  })

  it('says nothing about ids without a time', () => {
    expect(shardsOpenAt([...shards, ...shardsOf([listed('shardId-000000000001')], false)], T0)).to.equal(undefined)
    expect(shardsOpenAt(shardsOf([listed(idAt(17))], false), T0)).to.equal(undefined)
  })
})

describe('partsOfArn', () => {
  it('tells the table, and which of its streams it is', () => {
    expect(partsOfArn(arnOf('2026-05-20T20:51:10.252'))).to.deep.equal({
      ofTable: 'arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream',
      tableName: 'orders',
      label: '2026-05-20T20:51:10.252'
    })
    expect(partsOfArn('arn:aws:dynamodb:eu-west-1:123456789012:table/orders')).to.equal(undefined)
    expect(partsOfArn('arn:aws:kinesis:eu-west-1:123456789012:stream/orders')).to.equal(undefined)
    expect(partsOfArn('arn:aws-cn:dynamodb:cn-north-1:1:table/orders/stream/x')?.label).to.equal('x')
  })
})

describe('timeOfLabel', () => {
  it('reads a label as UTC, whatever the time zone of the machine', () => {
    expect(timeOfLabel('2026-05-20T20:51:10.252')).to.equal(Date.UTC(2026, 4, 20, 20, 51, 10, 252))
    expect(timeOfLabel('2026-05-20T20:51:10.252Z')).to.equal(Date.UTC(2026, 4, 20, 20, 51, 10, 252))
    expect(timeOfLabel('nonsense')).to.equal(undefined)
  })
})

describe('newestStream', () => {
  it('is the one that was enabled last', () => {
    const [old, young] = [arnOf('2026-05-20T20:51:10.252'), arnOf('2026-05-21T00:00:00.000')]
    expect(newestStream([old, young])).to.equal(young)
    expect(newestStream([young, old])).to.equal(young)
    expect(newestStream([])).to.equal(undefined)
  })
})

describe('checkTableStream', () => {
  it('takes the name of a table, or the ARN of a stream of one', () => {
    expect(checkTableStream({ tableName: 'orders' })).to.deep.equal({ tableName: 'orders' })
    const streamArn = arnOf('2026-05-20T20:51:10.252')
    expect(checkTableStream({ streamArn })).to.deep.equal({ tableName: 'orders', streamArn })
  })

  it('refuses anything else, and says what it expects', () => {
    const of = (given: unknown) => () => checkTableStream(given as never)
    expect(of({})).to.throw('Option tableName: is missing, expected 3 to 255 letters')
    expect(of({ tableName: 'a b' })).to.throw('Option tableName: is "a b"')
    expect(of({ tableName: 'orders', streamArn: 'x' })).to.throw('is "orders" beside streamArn')
    expect(of({ streamArn: 'arn:aws:kinesis:eu-west-1:123456789012:stream/orders' })).to.throw(
      'table/NAME/stream/LABEL'
    )
  })
})
