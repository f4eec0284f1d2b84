// What happens while the lines are put and processed: a split, a merge, a kill, and a new worker.
import type { LogLine } from './access-log.ts'
import { type Board, shardNumber, type WorkerRow } from './board.ts'
import type { Fleet } from './fleet.ts'
import { produce } from './producer.ts'
import type { ListedShard, Stream } from './stream.ts'
import { until } from './until.ts'

export interface Cast {
  readonly lines: readonly LogLine[]
  readonly stream: Stream
  readonly fleet: Fleet
  readonly board: Board
}

export const FIRST_WORKERS = ['ada', 'bob', 'cleo']
export const NEW_WORKER = 'dan'
export const FIRST_SHARDS = 5
/** Of a split two, of a merge one. */
export const SHARDS_IN_ALL = FIRST_SHARDS + 2 + 1

const PRODUCTION_MS = 20_000
/** When what happens: after which share of the lines was put. */
const SPLIT_AT = 0.12
const MERGE_AT = 0.3
const KILL_AT = 0.46
/** So that a takeover that fails does not hold up the rest, which then shows it. */
const START_NEW_WORKER_AT = 0.85
/** With nothing processed for so long, nothing more is to be expected. */
const STALLED_MS = 12_000

/** Resolves when every line was put and processed, or when nothing moves any more. */
export async function play(cast: Cast): Promise<void> {
  const { lines, stream, fleet, board } = cast
  for (const workerId of FIRST_WORKERS) fleet.start(workerId)
  await until(() => [...board.workers.values()].every(({ state }) => state === 'running'))
  const producing = produce(lines, stream, PRODUCTION_MS, (shardId, count) => board.notePut(shardId, count))
  await Promise.all([producing, disturb(cast)])
  await until(() => board.processed === lines.length || isStalled(board))
  const isDone = board.processed === lines.length
  board.noteOperator(isDone ? 'all lines are processed: the workers stop' : 'nothing moves any more: the workers stop')
}

async function disturb({ lines, stream, fleet, board }: Cast): Promise<void> {
  const putShare = (share: number): boolean => board.put >= share * lines.length
  await until(() => putShare(SPLIT_AT))
  await split(stream, board)
  await until(() => putShare(MERGE_AT))
  await merge(stream, board)
  await until(() => putShare(KILL_AT))
  await until(() => busiest(board) !== undefined)
  fleet.kill((busiest(board) as WorkerRow).workerId)
  await until(() => board.takeovers.every(({ waitedMs }) => waitedMs !== undefined) || putShare(START_NEW_WORKER_AT))
  fleet.start(NEW_WORKER)
  await until(() => board.workers.get(NEW_WORKER)?.state === 'running')
}

/** Splits the shard that got the most. */
async function split(stream: Stream, board: Board): Promise<void> {
  const open = (await stream.shards()).filter(shard => shard.isOpen)
  const put = (shard: ListedShard): number => board.shards.get(shard.shardId)?.put ?? 0
  const fullest = open.reduce((a, b) => (put(b) > put(a) ? b : a))
  await stream.split(fullest)
  await tellOfChildren(stream, board, `shard ${shardNumber(fullest.shardId)} is split`, [fullest])
}

/** Of the neighbours that have been there from the beginning, merges the two that got the least. */
async function merge(stream: Stream, board: Board): Promise<void> {
  const first = (await stream.shards()).filter(shard => shard.isOpen && shard.parentIds.length === 0)
  const pairs = first.flatMap(lower => {
    const upper = first.find(shard => shard.startingHashKey === lower.endingHashKey + 1n)
    return upper ? [[lower, upper] as const] : []
  })
  const put = (shards: readonly ListedShard[]): number =>
    shards.reduce((sum, { shardId }) => sum + (board.shards.get(shardId)?.put ?? 0), 0)
  const [pair] = pairs.sort((a, b) => put(a) - put(b))
  if (pair === undefined) throw new Error('There are no two shards to merge')
  await stream.merge(...pair)
  const numbers = pair.map(({ shardId }) => shardNumber(shardId)).join(' and ')
  await tellOfChildren(stream, board, `shards ${numbers} are merged`, pair)
}

async function tellOfChildren(
  stream: Stream,
  board: Board,
  what: string,
  parents: readonly ListedShard[]
): Promise<void> {
  const shards = await stream.shards()
  board.noteShards(shards)
  const isChild = (shard: ListedShard): boolean => parents.some(({ shardId }) => shard.parentIds.includes(shardId))
  const children = shards.filter(isChild).map(({ shardId }) => shardNumber(shardId))
  board.noteOperator(`${what} into ${children.join(' and ')}`)
}

/** The worker with the most shards, if it is in the middle of a batch: what it has done of it will come again. */
function busiest(board: Board): WorkerRow | undefined {
  const held = (worker: WorkerRow): number => board.heldBy(worker.workerId).length
  const running = [...board.workers.values()].filter(({ state }) => state === 'running')
  const [most] = running.sort((a, b) => held(b) - held(a))
  if (most === undefined || held(most) === 0) return undefined
  return most.leftInBatch > 0 && performance.now() - most.lastReportMs < 30 ? most : undefined
}

function isStalled(board: Board): boolean {
  const lastReportMs = Math.max(...[...board.workers.values()].map(worker => worker.lastReportMs))
  return performance.now() - lastReportMs > STALLED_MS
}
