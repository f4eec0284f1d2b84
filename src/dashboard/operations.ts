// What operators do from their pages: each action runs until it is done, fails or is called off, and is told to everybody who looks.
import { messageOf } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Action, describeAction } from './action-rules.ts'
import type { DashboardFleet } from './dashboard-options.ts'
import { tellMove, tellPause, tellProgress, tellRelease, tellReset, tellResume } from './operation-rules.ts'
import type { OperationRow } from './snapshot.ts'
import { oneLine } from './wording-rules.ts'

/** How many may run at once: each holds shards that others wait for. */
const RUNNING = 4
/** How many are told of. */
const KEPT = 20
const TOLD = 500

/** What operations need. */
export interface OperationsParts {
  readonly fleet: DashboardFleet
  readonly clock: Clock
  /** Told of every change. */
  readonly changed: (rows: readonly OperationRow[]) => void
  /** Told when one is over. */
  readonly ended: (row: OperationRow) => void
}

interface Running {
  readonly calling: AbortController
  readonly done: Promise<void>
}

/** The actions of operators, running and over. */
export class Operations {
  readonly #parts: OperationsParts
  readonly #running = new Map<string, Running>()
  #rows: readonly OperationRow[] = []
  #count = 0

  constructor(parts: OperationsParts) {
    this.#parts = parts
  }

  /** The newest last. */
  get rows(): readonly OperationRow[] {
    return this.#rows
  }

  /** Begins one. Returns its id, or nothing if too many run. */
  begin(action: Action): string | undefined {
    if (this.#running.size >= RUNNING) return undefined
    this.#count += 1
    const id = `op-${this.#count}`
    const calling = new AbortController()
    const atMs = this.#parts.clock.epochMs()
    this.#put({ id, what: oneLine(describeAction(action)), state: 'running', told: 'has begun', atMs })
    this.#running.set(id, { calling, done: this.#run(id, action, calling.signal) })
    return id
  }

  /** Calls one off. Says whether it was running. */
  callOff(id: string): boolean {
    const running = this.#running.get(id)
    running?.calling.abort(new Error('It was called off'))
    return running !== undefined
  }

  /** Calls everything off. Resolves when nothing runs any more, so that no shard stays on hold. */
  async stop(): Promise<void> {
    const running = [...this.#running.values()]
    for (const { calling } of running) calling.abort(new Error('The dashboard was closed'))
    await Promise.all(running.map(({ done }) => done))
  }

  /** Never rejects. */
  async #run(id: string, action: Action, signal: AbortSignal): Promise<void> {
    let isOver = false
    const onProgress = (progress: Parameters<typeof tellProgress>[0]): void => {
      if (!isOver && progress.step !== 'done') this.#change(id, { told: tellProgress(progress) })
    }
    try {
      const told = await carryOut(this.#parts.fleet, action, { signal, onProgress })
      isOver = true
      this.#end(id, { state: 'done', told })
    } catch (error) {
      isOver = true
      this.#end(id, { state: 'failed', told: this.#problem(error, signal) })
    }
  }

  #problem(error: unknown, signal: AbortSignal): string {
    if (signal.aborted) return 'was called off: what was not done by then stays as it was'
    return oneLine(messageOf(error)).slice(0, TOLD)
  }

  #end(id: string, outcome: Pick<OperationRow, 'state' | 'told'>): void {
    this.#running.delete(id)
    const row = this.#change(id, outcome)
    if (row !== undefined) this.#parts.ended(row)
  }

  #change(id: string, outcome: Partial<OperationRow>): OperationRow | undefined {
    const row = this.#rows.find(each => each.id === id)
    if (row === undefined || (outcome.told === row.told && outcome.state === undefined)) return row
    const changed = { ...row, ...outcome }
    this.#put(changed)
    return changed
  }

  #put(row: OperationRow): void {
    const isNew = !this.#rows.some(({ id }) => id === row.id)
    const rows = isNew ? [...this.#rows, row] : this.#rows.map(each => (each.id === row.id ? row : each))
    this.#rows = rows.slice(-KEPT)
    this.#parts.changed(this.#rows)
  }
}

interface CallOptions {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Parameters<typeof tellProgress>[0]) => void
}

async function carryOut(fleet: DashboardFleet, action: Action, options: CallOptions): Promise<string> {
  switch (action.kind) {
    case 'reset':
      return tellReset(await fleet.reset(action.position, { ...scopeOf(action), ...options }))
    case 'release':
      return tellRelease(await fleet.release({ ...scopeOf(action), ...options }))
    case 'pause': {
      const { why = 'a pause from the dashboard' } = action
      return tellPause(await fleet.pause({ ...scopeOf(action), why, ...options }))
    }
    case 'resume':
      return tellResume(await fleet.resume({ ...scopeOf(action), signal: options.signal }))
    case 'move':
      return tellMove(await fleet.move(action.shardId, action.workerId, options))
  }
}

function scopeOf({ shardIds }: { readonly shardIds?: readonly string[] }): { readonly shardIds?: readonly string[] } {
  return shardIds === undefined ? {} : { shardIds }
}
