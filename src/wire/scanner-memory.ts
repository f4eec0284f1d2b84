// Where the WebAssembly that reads answers has what in its memory.
import { PAGE_BYTES } from './wasm-assembler.ts'

/** How much of a body is looked at at once. Bytes. */
export const WINDOW_BYTES = 131_072
/** How many records are found, or decoded, at once. */
export const MOST_ROWS = 1_024
/** What is looked at behind the end of a window. */
export const MARGIN_BYTES = 64

/** The numbers in a row take so many bytes. */
export const ROW_BYTES = 24
/** Where in a row is which number: the same as in record-table.ts. */
export const [NUMBER_AT, NUMBER_LENGTH, KEY_AT, KEY_LENGTH, DATA_AT, DATA_LENGTH] = [0, 4, 8, 12, 16, 20] as const

/** Where in memory is what is told at the end. */
export const TOLD_AT = 0
/** Where the rows are. */
export const ROWS_AT = 64
/** Where the arrivals are. */
export const ARRIVALS_AT = ROWS_AT + ROW_BYTES * MOST_ROWS
/** Where the encryptions are. */
export const ENCRYPTIONS_AT = ARRIVALS_AT + 8 * MOST_ROWS
/** Where the window is. */
export const WINDOW_AT = ENCRYPTIONS_AT + MOST_ROWS
/** Where is what was made from the window. */
export const MADE_AT = WINDOW_AT + WINDOW_BYTES + MARGIN_BYTES

/** Pages that all of this takes. */
export const PAGES = Math.ceil((MADE_AT + WINDOW_BYTES + MARGIN_BYTES) / PAGE_BYTES)
