// Shows the board while the demo runs: frames on a terminal, lines elsewhere, nothing with --json.

import { createLogUpdate } from 'log-update'
import colors from 'picocolors'
import type { Board, Happening } from './board.ts'
import { type FramePlan, renderFrame, SMALLEST_FRAME } from './frame.ts'
import { count, seconds } from './text.ts'

export interface View {
  start(board: Board): void
  /** Shows the last state, and leaves the terminal as it was. */
  stop(): void
}

const FRAME_MS = 125
const LINE_MS = 2_000

/** The view that fits the terminal. */
export function makeView(kind: 'person' | 'program', plan: FramePlan): View {
  if (kind === 'program') return { start: () => {}, stop: () => {} }
  const { isTTY, columns, rows } = process.stdout
  const fits = isTTY && columns >= SMALLEST_FRAME.columns && rows >= SMALLEST_FRAME.rows
  return fits ? liveView(plan) : lineView()
}

function liveView(plan: FramePlan): View {
  const update = createLogUpdate(process.stdout)
  let timer: NodeJS.Timeout | undefined
  let draw = (): void => {}
  return {
    start(board) {
      draw = () => update(renderFrame(board, plan, process.stdout))
      draw()
      timer = setInterval(draw, FRAME_MS)
    },
    stop() {
      clearInterval(timer)
      draw()
      update.done()
    }
  }
}

function lineView(): View {
  let timer: NodeJS.Timeout | undefined
  return {
    start(board) {
      let told = 0
      let progressToldMs = 0
      timer = setInterval(() => {
        for (; told < board.happenings.length; told++) console.log(happeningText(board.happenings[told] as Happening))
        if (board.elapsedMs - progressToldMs < LINE_MS) return
        progressToldMs = board.elapsedMs
        console.log(colors.dim(progressText(board)))
      }, 100)
    },
    stop() {
      clearInterval(timer)
    }
  }
}

function happeningText({ atMs, workerId, text }: Happening): string {
  return `${seconds(atMs).padStart(7)}  ${workerId === undefined ? '' : `${workerId} `}${text}`
}

function progressText(board: Board): string {
  const owners = [...board.workers.values()]
    .filter(({ state }) => state === 'running')
    .map(({ workerId }) => `${workerId} ${board.heldBy(workerId).length}`)
  const lag = `lag ${count(board.put - board.processed)}`
  const shards = owners.length > 0 ? `, shards: ${owners.join(', ')}` : ''
  return `${seconds(board.elapsedMs).padStart(7)}  put ${count(board.put)}, processed ${count(board.processed)}, ${lag}${shards}`
}
