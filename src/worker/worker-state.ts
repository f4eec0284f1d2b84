// The life of a worker: which state may follow which.

export type WorkerState = 'idle' | 'starting' | 'running' | 'stopping' | 'stopped'

const NEXT: Readonly<Record<WorkerState, readonly WorkerState[]>> = {
  idle: ['starting', 'stopped'],
  starting: ['running', 'stopping'],
  running: ['stopping'],
  stopping: ['stopped'],
  stopped: []
}

export function mayFollow(from: WorkerState, to: WorkerState): boolean {
  return NEXT[from].includes(to)
}
