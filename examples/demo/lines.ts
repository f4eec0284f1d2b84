// What happens and how far the demo is, in lines: for output that is no terminal, or one too small for frames.
import type { Board, Happening } from './board.ts'
import { count, hang, seconds } from './text.ts'

/** Of the time that each line begins with. */
const TIME_COLUMNS = 9

export function happeningText({ atMs, workerId, text }: Happening, columns: number): string {
  const words = `${workerId === undefined ? '' : `${workerId} `}${text}`.split(' ')
  return time(atMs) + hang(words, TIME_COLUMNS, columns)
}

export function progressText(board: Board, columns: number): string {
  const owners = [...board.workers.values()]
    .filter(({ state }) => state === 'running')
    .map(({ workerId }) => `${workerId} ${board.heldBy(workerId).length}`)
  const facts = [
    `put ${count(board.put)},`,
    `processed ${count(board.processed)},`,
    `lag ${count(board.put - board.processed)}`,
    ...(owners.length > 0 ? [`(shards: ${owners.join(', ')})`] : [])
  ]
  return time(board.elapsedMs) + hang(facts, TIME_COLUMNS, columns)
}

function time(ms: number): string {
  return `${seconds(ms).padStart(TIME_COLUMNS - 2)}  `
}
