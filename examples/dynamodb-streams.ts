// The changes of a DynamoDB table, as they happen: a worker keeps the totals of customers from the orders that come, change and go,
// while the shards of the stream are continued by others, as happens every four hours. Runs on a table in memory, which a real client
// of the AWS SDK talks to; with TABLE_NAME, on the stream of that table.
//
//   node --import tsx examples/dynamodb-streams.ts
//   TABLE_NAME=orders node --import tsx examples/dynamodb-streams.ts
import { memoryLeaseStore, Worker } from 'millrace'
import { changeOf, dynamodbStream } from 'millrace/dynamodb-streams'
import { FakeTable } from 'millrace/testing'

interface Order {
  readonly id: string
  readonly customer: string
  readonly total: number
}

const { TABLE_NAME: tableName } = process.env
const table = new FakeTable({ tableName: 'orders', partitions: 2 })
const totals = new Map<string, number>()
let changes = 0

const worker = new Worker({
  source:
    tableName === undefined
      ? dynamodbStream({ tableName: 'orders' }, { client: table.clientConfig })
      : dynamodbStream({ tableName }),
  applicationName: 'order-totals',
  startAt: 'TRIM_HORIZON',
  // For one process, which forgets it at the end. Without it, a table of the application's name.
  leases: { store: memoryLeaseStore() },
  each: record => {
    const { eventName, newImage, oldImage } = changeOf<Order>(record)
    const { customer } = newImage ?? oldImage ?? {}
    if (customer === undefined) return // the stream has no images
    const change = (newImage?.total ?? 0) - (oldImage?.total ?? 0)
    totals.set(customer, (totals.get(customer) ?? 0) + change)
    changes += 1
    if (tableName !== undefined) console.log(eventName, customer, totals.get(customer))
  }
})
worker.on('shard:ended', ({ shardId, childShardIds }) =>
  console.log(`shard ${shardId.slice(-8)} is continued by ${childShardIds.map(id => id.slice(-8)).join(' and ')}`)
)
worker.on('records:lost', ({ shardId, because }) => console.error(`records of ${shardId} are gone: ${because}`))
process.once('SIGINT', () => void worker.stop())
await worker.start()

if (tableName === undefined) {
  const orders = new Map<string, Order>()
  for (let step = 0; step < 120; step++) {
    const id = `order-${step % 30}`
    const order = { id, customer: `customer-${step % 5}`, total: (step * 7) % 50 }
    if (step % 4 === 3) {
      table.delete({ id })
      orders.delete(id)
    } else {
      table.put({ ...order })
      orders.set(id, order)
    }
    if (step === 40) table.rollOver()
    if (step === 80) table.split()
  }
  const written = table.stream.shards.reduce((sum, { records }) => sum + records.length, 0)
  while (changes < written) await new Promise(resolve => setTimeout(resolve, 50))
  await worker.stop()

  const expected = new Map<string, number>()
  for (const { customer, total } of orders.values()) expected.set(customer, (expected.get(customer) ?? 0) + total)
  for (const [customer, total] of [...totals].sort()) console.log(customer, total)
  const isRight = [...totals].every(([customer, total]) => total === (expected.get(customer) ?? 0))
  console.log(`${changes} changes: ${isRight ? 'the totals are those of the table' : 'WRONG'}`)
  process.exitCode = isRight ? 0 : 1
}
await worker.finished
