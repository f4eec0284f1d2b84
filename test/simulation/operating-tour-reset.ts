// What a reset of a fleet that runs is held to, by what the handlers wrote down.
import type { Noted, Stage } from './operating-tour-stage.ts'
import { sleep } from './operating-tour-stage.ts'

interface Delivered {
  readonly atMs: number
  readonly sequenceNumber: bigint
  readonly arrivedAtMs: number
}

/** What became of one shard. */
interface ShardFacts {
  readonly shardId: string
  /** When it was opened first after the reset began. Epoch milliseconds. */
  readonly openedAtMs: number | undefined
  readonly before: readonly Delivered[]
  /** Deliveries since. */
  readonly after: readonly Delivered[]
}

/** Resets, waits for what was passed over to be delivered again, and checks every shard. */
export async function checkReset(
  stage: Stage,
  args: readonly string[],
  atMs: number,
  failoverMs: number,
  shards: number
): Promise<void> {
  const fromMs = Date.now()
  const { code } = await stage.run(args)
  const doneMs = Date.now()
  stage.check(code === 0, `the reset is done (${((doneMs - fromMs) / 1_000).toFixed(1)} s)`)
  const isOpen = (): boolean => new Set(openings(stage.noted(), fromMs).map(({ shardId }) => shardId)).size === shards
  await stage.until('every shard is open again', isOpen, 30_000)
  await sleep(6_000)
  const facts = factsOf(stage.noted(), fromMs)
  const rows = facts.map(fact => {
    const { shardId, openedAtMs = Number.NaN, before, after } = fact
    const [first] = after
    const tooEarly = after.filter(({ arrivedAtMs }) => arrivedAtMs < atMs).length
    const missing = missingOf(fact, atMs)
    const openedMs = openedAtMs - doneMs
    return {
      shard: shardId.replace('shardId-0000000000', ''),
      'opened, ms after the command': openedMs,
      'delivered before': before.length,
      'first after T by, ms': (first?.arrivedAtMs ?? Number.NaN) - atMs,
      'is first at or after T': first !== undefined && first.sequenceNumber === firstSince(fact, atMs),
      'earlier than T': tooEarly,
      'of before, missing': missing
    }
  })
  const titles = Object.keys(rows[0] ?? {}) as (keyof (typeof rows)[number])[]
  process.stdout.write(`    ${titles.join(' | ')}\n`)
  for (const row of rows)
    process.stdout.write(`    ${titles.map(name => String(row[name]).padStart(name.length)).join(' | ')}\n`)
  stage.check(rows.length === shards, `${shards} shards`)
  stage.check(
    rows.every(row => row['is first at or after T']),
    'every shard begins with the first record that arrived at T or later'
  )
  stage.check(
    rows.every(row => row['earlier than T'] === 0),
    'nothing that arrived before T was delivered after it'
  )
  stage.check(
    rows.every(row => row['of before, missing'] === 0),
    'everything since T that had been delivered before came again'
  )
  const latestMs = Math.max(...rows.map(row => row['opened, ms after the command']))
  stage.check(latestMs <= failoverMs, `within the failover time of ${failoverMs} ms: ${latestMs} ms at most`)
}

/** How many different records were delivered, and how many of them again after a time. */
export function figures(noted: readonly Noted[], fromMs: number): { records: number; repeated: number } {
  const seen = new Set<string>()
  let repeated = 0
  for (const { what, text = '', atMs } of noted) {
    if (what !== 'delivered') continue
    if (seen.has(text) && atMs > fromMs) repeated += 1
    seen.add(text)
  }
  return { records: seen.size, repeated }
}

function openings(noted: readonly Noted[], fromMs: number): Noted[] {
  return noted.filter(({ what, atMs }) => what === 'opened' && atMs >= fromMs)
}

function factsOf(noted: readonly Noted[], fromMs: number): ShardFacts[] {
  const shardIds = [...new Set(noted.map(({ shardId }) => shardId))].sort()
  return shardIds.map(shardId => {
    const ofShard = noted.filter(line => line.shardId === shardId)
    const openedAtMs = openings(ofShard, fromMs)[0]?.atMs
    const delivered = ofShard.filter(({ what }) => what === 'delivered')
    const isAfter = ({ atMs }: Noted): boolean => openedAtMs !== undefined && atMs >= openedAtMs
    return {
      shardId,
      openedAtMs,
      before: delivered.filter(line => !isAfter(line)).map(deliveredOf),
      after: delivered.filter(isAfter).map(deliveredOf)
    }
  })
}

function deliveredOf({ atMs, sequenceNumber = '0', arrivedAtMs = 0 }: Noted): Delivered {
  return { atMs, sequenceNumber: BigInt(sequenceNumber), arrivedAtMs }
}

/** The first record at or after a time, of all that are known. */
function firstSince({ before, after }: ShardFacts, atMs: number): bigint | undefined {
  const since = [...before, ...after].filter(({ arrivedAtMs }) => arrivedAtMs >= atMs)
  return since.map(({ sequenceNumber }) => sequenceNumber).sort((a, b) => (a < b ? -1 : 1))[0]
}

function missingOf({ before, after }: ShardFacts, atMs: number): number {
  const again = new Set(after.map(({ sequenceNumber }) => sequenceNumber))
  return before.filter(({ arrivedAtMs, sequenceNumber }) => arrivedAtMs >= atMs && !again.has(sequenceNumber)).length
}
