// A board of the demo in the middle of its run, filled as the demo fills it: by what was put and what the workers say.
import { Board } from '../../examples/demo/board.ts'
import type { FramePlan } from '../../examples/demo/frame.ts'
import type { LedgerRow } from '../../examples/demo/ledger.ts'
import type { ShownEvent } from '../../examples/demo/messages.ts'
import { shardId } from './builders.ts'

/** As many rows as the demo has in the end. */
export const PLAN: FramePlan = { title: ' The title', shards: 8, workers: ['ada', 'bob', 'cleo', 'dan'] }

/** Tells a board what happened, in few words. */
export class BoardTeller {
  readonly board: Board
  #lastLine = 0

  constructor(lines: number) {
    this.board = new Board(lines)
  }

  shard(number: number, parents: readonly number[] = []): void {
    const hashKeys = { startingHashKey: 0n, endingHashKey: 0n }
    const parentIds = parents.map(shardId)
    this.board.noteShards([{ shardId: shardId(number), parentIds, isOpen: true, ...hashKeys }])
  }

  put(shard: number, lines: number): void {
    this.board.notePut(shardId(shard), lines)
  }

  event(workerId: string, name: ShownEvent, shard: number, more: { why?: string; atNs?: bigint } = {}): void {
    const { atNs = 0n, ...why } = more
    this.board.noteMessage(workerId, { kind: 'event', name, shardId: shardId(shard), atNs: String(atNs), ...why })
  }

  /** The worker takes the shard and reads it. */
  takes(workerId: string, shard: number, more: { why?: string; atNs?: bigint } = {}): void {
    this.event(workerId, 'lease:taken', shard, { why: 'unowned', ...more })
    this.event(workerId, 'shard:started', shard)
  }

  /** The worker processes as many lines that nobody has processed before. */
  processes(workerId: string, shard: number, lines: number): void {
    this.processesLines(
      workerId,
      shard,
      Array.from({ length: lines }, (_, i) => this.#lastLine + 1 + i)
    )
    this.#lastLine += lines
  }

  processesLines(workerId: string, shard: number, lines: readonly number[]): void {
    const rows = lines.map(line => aRow({ line }))
    this.board.noteMessage(workerId, { kind: 'processed', shardId: shardId(shard), rows, left: 0 })
  }

  /** When a worker that was killed may have lost the shard: so long after the kill. */
  afterKill(ms: number): bigint {
    const [takeover] = this.board.takeovers
    if (takeover === undefined) throw new Error('No worker that held a shard was killed')
    return takeover.killedAtNs + BigInt(ms) * 1_000_000n
  }
}

/** A row of a ledger. */
export function aRow(with_: Partial<LedgerRow> = {}): LedgerRow {
  return { at: '0', line: 1, path: '/path', bytes: 1_000, isError: false, ...with_ }
}

/**
 * Three workers: ada was killed and left shards 0 and 1, of which cleo took 1 over after 3.3 s; bob reads 2. Shard 3 is a
 * child of 2, and waits for its end. dan is not there yet.
 */
export function aBoard(): BoardTeller {
  const teller = new BoardTeller(10_000)
  for (const workerId of ['ada', 'bob', 'cleo']) {
    teller.board.noteWorker(workerId, 'starting')
    teller.board.noteMessage(workerId, { kind: 'started' })
  }
  for (const number of [0, 1, 2]) teller.shard(number)
  teller.shard(3, [2])
  teller.takes('ada', 0)
  teller.takes('ada', 1)
  teller.takes('bob', 2)
  teller.put(0, 1_000)
  teller.put(1, 500)
  teller.put(2, 2_000)
  teller.put(3, 40)
  teller.processes('ada', 0, 250)
  teller.processes('ada', 1, 500)
  teller.processes('bob', 2, 1_500)
  teller.board.noteOperator('shard 2 is split into 3 and 4')
  teller.board.noteKilled('ada')
  teller.takes('cleo', 1, { atNs: teller.afterKill(3_300) })
  return teller
}
