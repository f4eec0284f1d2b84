// The life of a worker: which state may follow which.

/** Where a worker is in its life, which it lives once. */
export type WorkerState = 'idle' | 'starting' | 'running' | 'stopping' | 'stopped'

const NEXT: Readonly<Record<WorkerState, readonly WorkerState[]>> = {
  idle: ['starting', 'stopped'],
  starting: ['running', 'stopping'],
  running: ['stopping'],
  stopping: ['stopped'],
  stopped: []
}

/** Whether a worker can go from one state to the other. */
export function mayFollow(from: WorkerState, to: WorkerState): boolean {
  return NEXT[from].includes(to)
}
