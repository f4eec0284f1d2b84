// Shows the board while the demo runs: frames on a terminal, lines elsewhere, nothing with --json.

import { createLogUpdate } from 'log-update'
import colors from 'picocolors'
import type { Board } from './board.ts'
import { type FramePlan, renderFrame, SMALLEST_FRAME } from './frame.ts'
import { happeningText, progressText } from './lines.ts'

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
  let tellRest = (): void => {}
  return {
    start(board) {
      let told = 0
      let progressToldMs = 0
      // Asked for each line anew: the terminal may be resized. Elsewhere lines may be as long as they like.
      const columns = (): number => process.stdout.columns || Number.POSITIVE_INFINITY
      tellRest = () => {
        for (const happening of board.happenings.slice(told)) console.log(happeningText(happening, columns()))
        told = board.happenings.length
      }
      timer = setInterval(() => {
        tellRest()
        if (board.elapsedMs - progressToldMs < LINE_MS) return
        progressToldMs = board.elapsedMs
        console.log(colors.dim(progressText(board, columns())))
      }, 100)
    },
    stop() {
      clearInterval(timer)
      tellRest()
    }
  }
}
