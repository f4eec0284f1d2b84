// The fake table as a client of the AWS SDK sees it.
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand
} from '@aws-sdk/client-dynamodb-streams'
import { expect } from 'chai'
import { FakeTable, type FakeTableOptions } from '../../src/testing/fake-table.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

function aTable(options: Partial<FakeTableOptions> = {}) {
  const table = new FakeTable({ tableName: 'orders', clock: new VirtualClock(1_900_000_000_000), ...options })
  const client = new DynamoDBStreamsClient(table.clientConfig)
  const StreamArn = table.stream.arn
  const read = async (ShardId = table.stream.shards[0]?.shardId) => {
    const from = { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const
    const { ShardIterator } = await client.send(new GetShardIteratorCommand(from))
    return client.send(new GetRecordsCommand({ ShardIterator }))
  }
  return { table, client, StreamArn, read }
}

describe('FakeTable', () => {
  it('tells what happened to its items, in the words of the service', async () => {
    const { table, read } = aTable({ keys: ['customer', 'order'] })
    table.put({ customer: 'c', order: 1, tags: new Set(['x']), bytes: Uint8Array.of(1), more: { list: [true, null] } })
    table.put({ customer: 'c', order: 1 })
    table.put({ customer: 'c', order: 1 })
    table.delete({ customer: 'c', order: 1 }, { expired: true })
    table.delete({ customer: 'c', order: 1 })
    const { Records = [], NextShardIterator } = await read()
    expect(Records.map(({ eventName }) => eventName)).to.deep.equal(['INSERT', 'MODIFY', 'REMOVE'])
    const [insert, modify, remove] = Records
    expect(insert?.dynamodb).to.deep.include({
      ApproximateCreationDateTime: new Date(1_900_000_000_000),
      Keys: { customer: { S: 'c' }, order: { N: '1' } },
      StreamViewType: 'NEW_AND_OLD_IMAGES'
    })
    expect(insert?.dynamodb?.NewImage).to.deep.include({
      tags: { SS: ['x'] },
      bytes: { B: Uint8Array.of(1) },
      more: { M: { list: { L: [{ BOOL: true }, { NULL: true }] } } }
    })
    expect(insert?.dynamodb).not.to.have.property('OldImage')
    expect(modify?.dynamodb).to.have.any.keys('OldImage', 'NewImage')
    expect(remove?.userIdentity).to.deep.equal({ PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' })
    expect(NextShardIterator).to.be.a('string')
  })

  it('has of images what its view type says', async () => {
    for (const [viewType, images] of [
      ['KEYS_ONLY', []],
      ['NEW_IMAGE', ['NewImage']],
      ['OLD_IMAGE', ['OldImage']]
    ] as const) {
      const { table, read } = aTable({ viewType })
      table.put({ id: 'a', n: 1 })
      table.put({ id: 'a', n: 2 })
      const { Records = [] } = await read()
      const names = Object.keys(Records[1]?.dynamodb ?? {}).filter(name => name.endsWith('Image'))
      expect(names, viewType).to.deep.equal(images)
    }
  })

  it('keeps the changes of an item in one line of shards, however they are continued', async () => {
    const { table, read } = aTable({ partitions: 3 })
    const shards: string[] = []
    for (let round = 0; round < 6; round++) {
      table.put({ id: 'a', round })
      const holder = table.stream.shards.filter(({ records }) =>
        records.some(({ json }) => json.dynamodb?.NewImage?.round !== undefined)
      )
      shards.push(holder.at(-1)?.shardId ?? '')
      if (round % 2 === 0) table.split()
      else table.rollOver()
    }
    for (const [index, shardId] of shards.entries()) {
      if (index === 0) continue
      expect(table.stream.shard(shardId)?.parentShardId).to.equal(shards[index - 1])
    }
    expect((await read(shards[0])).NextShardIterator).to.equal(undefined)
  })

  it('lists the streams that it has had, and their shards a hundred at a time', async () => {
    const { table, client, StreamArn } = aTable({ partitions: 60 })
    table.rollOver()
    table.disableStream()
    table.enableStream()
    const { Streams = [] } = await client.send(new ListStreamsCommand({ TableName: 'orders' }))
    expect(Streams.length).to.equal(2)
    const { StreamDescription: first } = await client.send(new DescribeStreamCommand({ StreamArn }))
    expect(first).to.include({ StreamStatus: 'DISABLED' })
    expect(first?.Shards?.length).to.equal(100)
    const next = new DescribeStreamCommand({ StreamArn, ExclusiveStartShardId: first?.LastEvaluatedShardId })
    const { StreamDescription: second } = await client.send(next)
    expect(second?.Shards?.length).to.equal(20)
    expect(second?.LastEvaluatedShardId).to.equal(undefined)
  })

  it('brings no more than 1,000 records or 1 MB at a time', async () => {
    const { table, read } = aTable()
    for (let n = 0; n < 30; n++) table.put({ id: `i${n}`, text: 'x'.repeat(100_000) })
    expect((await read()).Records?.length).to.equal(10)
  })

  it('refuses what the service refuses', async () => {
    const { client, StreamArn } = aTable()
    const refused = async (command: GetShardIteratorCommand | GetRecordsCommand): Promise<string> =>
      client.send(command as GetRecordsCommand).then(
        () => 'nothing',
        (error: Error) => error.name
      )
    const of = { StreamArn, ShardId: 'shardId-none', ShardIteratorType: 'LATEST' } as const
    expect(await refused(new GetShardIteratorCommand(of))).to.equal('ResourceNotFoundException')
    expect(await refused(new GetShardIteratorCommand({ ...of, StreamArn: `${StreamArn}x` }))).to.equal(
      'ResourceNotFoundException'
    )
    expect(await refused(new GetRecordsCommand({ ShardIterator: '{}', Limit: 1_001 }))).to.equal('ValidationException')
  })

  it('says what an item lacks, and what cannot be stored', () => {
    const { table } = aTable()
    expect(() => table.put({ n: 1 })).to.throw('An item of orders needs the key attribute id')
    expect(() => table.put({ id: 'a', f: () => {} })).to.throw('A value of type function cannot be stored')
  })
})
