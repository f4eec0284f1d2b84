import { expect } from 'chai'
import { tableCalls } from '../../src/dynamo/dynamo-client.ts'
import { Expression } from '../../src/dynamo/dynamo-expression.ts'
import { partitionOf } from '../../src/leases/dynamo-partition.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { RefusedByDynamo, type SentCall, stored, stubDynamo } from '../support/stub-dynamo.ts'

const KEY = { pk: { S: 'orders' }, sk: { S: 'W#a' } }

function partitionAt(answer: (call: SentCall) => unknown) {
  const stub = stubDynamo(answer)
  const calls = tableCalls({ tableName: 'control', client: stub.client, clock: systemClock, requestTimeoutMs: 5_000 })
  return { stub, partition: partitionOf(calls, 'orders') }
}

const condition = () => {
  const expression = new Expression()
  return expression.condition(expression.are({ hb: 1 }))
}

/** What is sent with the condition above. */
const CONDITION = {
  ConditionExpression: '#hb = :was_hb',
  ExpressionAttributeNames: { '#hb': 'hb' },
  ExpressionAttributeValues: { ':was_hb': { N: '1' } },
  ReturnValuesOnConditionCheckFailure: 'ALL_OLD'
}

describe('partitionOf', () => {
  it('reads an item of the application, consistently only if told to', async () => {
    const { stub, partition } = partitionAt(() => ({ Item: stored({ hb: 5 }) }))
    expect(await partition.read('W#a')).to.deep.equal({ hb: 5 })
    await partition.read('W#a', { consistent: true })
    expect(stub.sent.map(({ input }) => input)).to.deep.equal([
      { TableName: 'control', Key: KEY, ConsistentRead: false },
      { TableName: 'control', Key: KEY, ConsistentRead: true }
    ])
  })

  it('reads all items of the application that begin alike, page by page', async () => {
    const pages: object[] = [
      { Items: [stored({ hb: 1 })], LastEvaluatedKey: KEY },
      { LastEvaluatedKey: KEY },
      { Items: [stored({ hb: 2 }), stored({ hb: 3 })] }
    ]
    const { stub, partition } = partitionAt(() => pages.shift())
    expect(await partition.readAll('W#', { consistent: true })).to.deep.equal([{ hb: 1 }, { hb: 2 }, { hb: 3 }])
    const first = {
      TableName: 'control',
      KeyConditionExpression: '#pk = :pk AND begins_with(#sk, :sk)',
      ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
      ExpressionAttributeValues: { ':pk': { S: 'orders' }, ':sk': { S: 'W#' } },
      ConsistentRead: true
    }
    const next = { ...first, ExclusiveStartKey: KEY }
    expect(stub.sent.map(({ input }) => input)).to.deep.equal([first, next, next])
  })

  it('writes items of the application, and asks for what was there and what is in the way', async () => {
    const { stub, partition } = partitionAt(({ name }) =>
      name === 'DeleteItem' ? {} : { Attributes: stored({ hb: 7 }) }
    )
    const written = { kind: 'written', item: { hb: 7 } }
    expect(await partition.put({ sk: 'W#a', attributes: { hb: 2 }, condition: condition() })).to.deep.equal(written)
    expect(await partition.update({ sk: 'W#a', update: 'REMOVE #x', condition: condition() })).to.deep.equal(written)
    expect(await partition.remove({ sk: 'W#a', condition: condition() })).to.include({ kind: 'written' })
    expect(stub.sent.map(({ input }) => input)).to.deep.equal([
      { TableName: 'control', Item: { ...KEY, hb: { N: '2' } }, ReturnValues: 'ALL_OLD', ...CONDITION },
      { TableName: 'control', Key: KEY, UpdateExpression: 'REMOVE #x', ReturnValues: 'ALL_NEW', ...CONDITION },
      { TableName: 'control', Key: KEY, ...CONDITION }
    ])
  })

  it('asks for nothing in the way where there is no condition', async () => {
    const { stub, partition } = partitionAt(() => ({}))
    await partition.put({ sk: 'W#a', attributes: { hb: 2 } })
    await partition.remove({ sk: 'W#a' })
    expect(stub.sent.map(({ input }) => input)).to.deep.equal([
      { TableName: 'control', Item: { ...KEY, hb: { N: '2' } }, ReturnValues: 'ALL_OLD' },
      { TableName: 'control', Key: KEY }
    ])
  })

  it('takes the item that was in the way from the refusal', async () => {
    const { stub, partition } = partitionAt(() => {
      throw new RefusedByDynamo({ ...stored({ hb: 2, avoid: new Set(['a']) }), huge: { N: '9007199254740993' } })
    })
    const outcome = await partition.update({ sk: 'W#a', update: 'REMOVE #x', condition: condition() })
    const current = outcome.kind === 'refused' ? await outcome.current() : undefined
    expect(current).to.deep.include({ hb: 2, avoid: new Set(['a']) })
    expect(stub.sent).to.have.length(1)
  })

  it('reads the item, as it is now, if the refusal does not show it and somebody asks', async () => {
    const { stub, partition } = partitionAt(({ name }) => {
      if (name === 'GetItem') return { Item: stored({ hb: 2 }) }
      throw new RefusedByDynamo()
    })
    const outcome = await partition.put({ sk: 'W#a', attributes: {}, condition: condition() })
    expect(stub.sent).to.have.length(1)
    expect(outcome.kind === 'refused' && (await outcome.current())).to.deep.equal({ hb: 2 })
    expect(stub.sent[1]?.input).to.deep.equal({ TableName: 'control', Key: KEY, ConsistentRead: true })
  })
})
