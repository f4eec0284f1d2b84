// Local state that follows a shard: clicks are counted by user in windows of ten seconds, while workers join, crash and
// leave, and shards split. Whoever has a shard next makes the counts of its open window again, from the records. Runs in
// virtual time, on nothing but this process.
//
//   node --import tsx examples/windows.ts
//   SEED=12 node --import tsx examples/windows.ts
import { type ClosingWindow, tumblingWindows, type WorkerOptions } from 'millrace'
import { simulate } from 'millrace/testing'

type Counts = Map<string, number>

const world = simulate({
  seed: Number(process.env.SEED ?? 1),
  faults: 'calm',
  // Open windows are read again after each change of hands. The simulator notes that, as something most programs avoid.
  onViolation: 'collect'
})
world.kinesis.createStream('clicks', 2)

/** The database: a row for each window of a shard. */
const table = new Map<string, { counts: Counts; fencingToken: number }>()

/** As `INSERT … ON CONFLICT (id) DO UPDATE … WHERE fencing_token <= …` would: the newest owner has the last word. */
function store({ id, state, fencingToken, reason, records, shardId, window }: ClosingWindow<Counts>): void {
  if (fencingToken < (table.get(id)?.fencingToken ?? 0)) return
  const again = table.has(id) ? ', again' : ''
  table.set(id, { counts: state, fencingToken })
  const from = new Date(window.startMs).toISOString().slice(14, 19)
  console.log(`window ${shardId.slice(-4)} ${from} ${String(records).padStart(3)} clicks, ${reason}${again}`)
}

const options: WorkerOptions = {
  streamName: 'clicks',
  applicationName: 'click-windows',
  startAt: 'TRIM_HORIZON',
  processor: tumblingWindows<Counts>({
    windowMs: 10_000,
    open: () => new Map(),
    add: (counts, { partitionKey }) => void counts.set(partitionKey, (counts.get(partitionKey) ?? 0) + 1),
    close: store,
    clock: world.clock // only because time is virtual here
  })
}

/** The clicks that were put, by user. */
const produced: Counts = new Map()

const sumOf = (counts: Counts): number => [...counts.values()].reduce((a, b) => a + b, 0)

/** Puts a click each half second. */
async function clicksFor(seconds: number): Promise<void> {
  for (let half = 0; half < seconds * 2; half++) {
    const user = `user-${sumOf(produced) % 7}`
    world.kinesis.put('clicks', user, 'click')
    produced.set(user, (produced.get(user) ?? 0) + 1)
    await world.advance(500)
  }
}

const first = await world.start(options)
await clicksFor(25)
console.log('another worker joins: a shard is handed over')
const second = await world.start(options)
await clicksFor(20)
console.log('the first worker crashes')
world.crash(first)
await clicksFor(40)
console.log('a shard is split')
world.split('clicks')
await clicksFor(20)
console.log('a worker is replaced')
await world.start(options)
await world.stop(second)
await clicksFor(20)
console.log('no more clicks: the last windows are closed by the clock')
await world.advance(60_000)
await world.stopAll()

const totals: Counts = new Map()
for (const { counts } of table.values()) {
  for (const [user, count] of counts) totals.set(user, (totals.get(user) ?? 0) + count)
}
for (const [user, count] of produced) console.log(`total ${user} ${totals.get(user)} of ${count}`)
const isRight = [...produced].every(([user, count]) => totals.get(user) === count) && sumOf(totals) === sumOf(produced)
const verdict = isRight ? 'every one once' : 'WRONG'
console.log(`counted ${sumOf(totals)} of ${sumOf(produced)} clicks in ${table.size} windows: ${verdict}`)
process.exitCode = isRight ? 0 : 1
