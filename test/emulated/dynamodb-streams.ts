// Workers on the stream of a table in moto, an emulator that others wrote, over HTTP, with their tables there as well: every change that
// a table went through is delivered, in the order of each item, while workers hand over, and the table is made again. Not part of the
// tests: needs Python with moto, `pip install 'moto[server,dynamodb]'`.
//
//   npm run dynamodb-streams -- --python .venv/bin/python [--items 40] [--rounds 5]
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import {
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand
} from '@aws-sdk/client-dynamodb'
import { changeOf, dynamodbStream } from '../../src/dynamodb-streams/dynamodb-stream.ts'
import { ServiceError, type StartPosition, silentLogger, TableMismatchError, Worker } from '../../src/index.ts'
import { openFleet } from '../../src/operate/fleet.ts'
import { pollUntil } from '../support/poll.ts'

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    items: { type: 'string', default: '40' },
    rounds: { type: 'string', default: '5' }
  }
})
const ITEMS = Number(values.items)
const ROUNDS = Number(values.rounds)
const TableName = 'orders'
const applicationName = 'order-index'

interface Order {
  readonly id: string
  readonly version: number
  readonly tags?: ReadonlySet<string>
  readonly bytes?: Uint8Array
}

/** What happened, as a worker saw it: `INSERT 1`. */
const seen = new Map<string, string[]>()
const expected = new Map<string, string[]>()
const checks: { readonly what: string; readonly holds: boolean }[] = []

function check(what: string, holds: boolean): void {
  checks.push({ what, holds })
  console.log(`${holds ? 'ok   ' : 'WRONG'} ${what}`)
}

function note(book: Map<string, string[]>, id: string, what: string): void {
  book.set(id, [...(book.get(id) ?? []), what])
}

async function startMoto(): Promise<{ readonly process: ChildProcess; readonly endpoint: string }> {
  const program = join(import.meta.dirname, '../support/moto-tables.py')
  const child = spawn(values.python, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(
      `moto did not start (${values.python} ended with ${code}). Install it: pip install 'moto[server,dynamodb]', and say --python`
    )
  })
  const [port] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), failed])
  failed.catch(() => {})
  return { process: child, endpoint: `http://127.0.0.1:${port}` }
}

const { process: moto, endpoint } = await startMoto()
const client = { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }
const dynamodb = new DynamoDBClient(client)

async function makeTable(): Promise<void> {
  await dynamodb.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' }
    })
  )
}

/** Inserts each item, changes it, and deletes every third one. */
async function writeRound(round: number): Promise<void> {
  for (let n = 0; n < ITEMS; n++) {
    const id = `r${round}-${n}`
    const Item = {
      id: { S: id },
      version: { N: '1' },
      tags: { SS: ['a', 'b'] },
      bytes: { B: Uint8Array.of(n) },
      large: { N: '12345678901234567890' }
    }
    await dynamodb.send(new PutItemCommand({ TableName, Item }))
    note(expected, id, 'INSERT 1')
    await dynamodb.send(
      new UpdateItemCommand({
        TableName,
        Key: { id: { S: id } },
        UpdateExpression: 'SET version = version + :one',
        ExpressionAttributeValues: { ':one': { N: '1' } }
      })
    )
    note(expected, id, 'MODIFY 2')
    if (n % 3 !== 0) continue
    await dynamodb.send(new DeleteItemCommand({ TableName, Key: { id: { S: id } } }))
    note(expected, id, 'REMOVE 2')
  }
}

const problems: string[] = []

function worker(startAt: StartPosition, onRecreatedStream: 'refuse' | 'start-over' = 'refuse'): Worker {
  const made = new Worker({
    source: dynamodbStream({ tableName: TableName }, { client }),
    ...{ applicationName, startAt, onRecreatedStream, dynamodb: client, logger: silentLogger },
    leases: { durationMs: 2_000, heartbeat: 'main' },
    shardSyncIntervalMs: 2_000,
    retrieval: { idleMs: 200 },
    each: record => {
      const { eventName, keys, newImage, oldImage } = changeOf<Order & { readonly large: bigint }>(record)
      const image = newImage ?? oldImage
      const isWhole = image?.tags?.has('b') && image.bytes?.length === 1 && image.large === 12345678901234567890n
      if (!isWhole) problems.push(`an image of ${keys.id} is not what was written`)
      note(seen, String(keys.id), `${eventName} ${image?.version}`)
    }
  })
  made.on('error', ({ error, during }) => problems.push(`${during}: ${error.message}`))
  made.on('records:lost', ({ because }) => problems.push(`records are lost: ${because}`))
  made.finished.catch(() => {})
  return made
}

async function until(what: string, holds: () => boolean, seconds = 60): Promise<boolean> {
  const isSo = await pollUntil(what, holds, seconds * 1_000).catch(() => false)
  check(what, isSo)
  return isSo
}

const isAllThere = (): boolean => [...expected].every(([id, all]) => (seen.get(id)?.length ?? 0) >= all.length)

try {
  await makeTable()
  await writeRound(0)
  const first = worker('TRIM_HORIZON')
  await first.start()
  await until('what was written before the first worker began is delivered', isAllThere)
  for (let round = 1; round < ROUNDS; round++) await writeRound(round)
  await until(`${ROUNDS} rounds of ${ITEMS} items are delivered, inserts, changes and deletes`, isAllThere)

  const fleet = openFleet({
    ...{ applicationName, dynamodb: client, logger: silentLogger },
    source: dynamodbStream({ tableName: TableName }, { client })
  })
  await fleet.status()
  await sleep(3_000)
  const status = await fleet.status()
  check('the fleet is seen from outside, without holes', status.holes.length === 0 && status.leases.length === 1)
  check('it is not behind', ((await fleet.lag()).maxLagMs ?? 99_999) < 5_000)
  fleet.close()

  const second = worker('TRIM_HORIZON')
  await second.start()
  await first.stop()
  await writeRound(ROUNDS)
  await until('another worker takes over', isAllThere)
  check(
    'every change came once, in the order of its item',
    JSON.stringify([...seen].sort()) === JSON.stringify([...expected].sort())
  )

  await dynamodb.send(new DeleteTableCommand({ TableName }))
  await sleep(1_100)
  await makeTable()
  const ended = await Promise.race([second.finished.catch(error => error), sleep(30_000, 'it goes on')])
  // It may have looked while there was no table.
  const isTold = ended instanceof TableMismatchError || (ended instanceof ServiceError && ended.kind === 'not-found')
  check(`a worker ends when the table has another stream${isTold ? '' : `: ${ended}`}`, isTold)
  const refused = await worker('TRIM_HORIZON')
    .start()
    .catch(error => error)
  check('none starts with the leases of the earlier one', refused instanceof TableMismatchError)
  problems.length = 0
  await writeRound(ROUNDS + 1)
  const third = worker('TRIM_HORIZON', 'start-over')
  await third.start()
  await until('one that may start over reads the new stream from its beginning', isAllThere)
  await third.stop()

  const since = worker('LATEST', 'start-over')
  await since.start()
  await until('and one that goes on finds nothing new', isAllThere)
  await since.stop()
  check(
    'every change came once, in the order of its item',
    JSON.stringify([...seen].sort()) === JSON.stringify([...expected].sort())
  )
  check(`nothing else went wrong${problems.map(text => `\n      ${text}`).join('')}`, problems.length === 0)
} finally {
  dynamodb.destroy()
  moto.stdin?.end()
}
const wrong = checks.filter(({ holds }) => !holds).length
const changes = [...expected.values()].reduce((sum, all) => sum + all.length, 0)
console.log(`${changes} changes of ${expected.size} items; ${checks.length - wrong} checks hold, ${wrong} do not`)
process.exitCode = wrong === 0 ? 0 : 1
