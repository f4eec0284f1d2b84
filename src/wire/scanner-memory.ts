// Where the WebAssembly that reads answers has what in its memory.
import { PAGE_BYTES } from './wasm-assembler.ts'

/** How much of a body is looked at at once. Bytes. */
export const WINDOW_BYTES = 131_072
/** How many records are found, or decoded, at once. */
export const MOST_ROWS = 1_024
/** What is looked at behind the end of a window. */
export const MARGIN_BYTES = 64

/** Numbers in a row, and which is what: the same as in record-table.ts. */
export const ROW_BYTES = 24
export const [NUMBER_AT, NUMBER_LENGTH, KEY_AT, KEY_LENGTH, DATA_AT, DATA_LENGTH] = [0, 4, 8, 12, 16, 20] as const

/** Where in memory: what is told at the end, rows, arrivals, encryptions, the window, and what was made from it. */
export const TOLD_AT = 0
export const ROWS_AT = 64
export const ARRIVALS_AT = ROWS_AT + ROW_BYTES * MOST_ROWS
export const ENCRYPTIONS_AT = ARRIVALS_AT + 8 * MOST_ROWS
export const WINDOW_AT = ENCRYPTIONS_AT + MOST_ROWS
export const MADE_AT = WINDOW_AT + WINDOW_BYTES + MARGIN_BYTES

/** Pages that all of this takes. */
export const PAGES = Math.ceil((MADE_AT + WINDOW_BYTES + MARGIN_BYTES) / PAGE_BYTES)
