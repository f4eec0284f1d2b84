// What the demo ends with: the result as text, and the exit code. Both come from one proof.
import type { LogLine } from './access-log.ts'
import type { Board } from './board.ts'
import { readLedger } from './ledger.ts'
import { EXIT } from './options.ts'
import { holds, prove } from './proof.ts'
import { jsonReport, writtenReport } from './report.ts'

export interface Conclusion {
  readonly text: string
  readonly exitCode: number
}

/** What there is to judge. */
export interface Evidence {
  readonly lines: readonly LogLine[]
  /** The file of each worker that was ever started. */
  readonly ledgers: ReadonlyMap<string, string>
  readonly board: Board
  readonly elapsedMs: number
}

/** How it is told: to a program as JSON, to a person in words that fit into `columns`. */
export interface Telling {
  readonly json: boolean
  readonly columns: number
}

/** Holds the ledgers against the file, and tells the result. */
export function conclude({ lines, ledgers, board, elapsedMs }: Evidence, { json, columns }: Telling): Conclusion {
  const rows = [...ledgers].map(([workerId, file]) => [workerId, readLedger(file)] as const)
  const proof = prove(lines, new Map(rows))
  const text = json ? jsonReport(proof, board, elapsedMs) : writtenReport(proof, board, elapsedMs, columns)
  return { text, exitCode: holds(proof) ? EXIT.good : EXIT.bad }
}
