// Tells the result: to a person in words, to a program in one JSON object.
import Table from 'cli-table3'
import colors from 'picocolors'
import type { Board, Takeover } from './board.ts'
import { shardNumber } from './board.ts'
import { holds, type Proof } from './proof.ts'
import { cell, count, hang, megabytes, seconds } from './text.ts'

const TOP_PATHS = 5
const SHOWN = 5
/** Columns of the table that are border, padding and indentation. */
const TABLE_FRAME = 15
const SHORTEST_PATH = 14
const LONGEST_PATH = 34

/** The longest wait of a shard for another worker; `null` if a shard is still waiting. Milliseconds. */
function takeoverMs(takeovers: readonly Takeover[]): number | null {
  const waits = takeovers.map(({ waitedMs }) => waitedMs)
  return waits.length === 0 || waits.includes(undefined) ? null : Math.max(...waits.map(Number))
}

export function jsonReport(proof: Proof, board: Board, elapsedMs: number): string {
  return JSON.stringify({
    produced: proof.produced,
    processed: proof.processed,
    missing: proof.missing.length,
    duplicates: proof.duplicates.length,
    outOfOrder: proof.outOfOrder.length,
    shards: board.shards.size,
    workers: board.workers.size,
    takeoverMs: takeoverMs(board.takeovers),
    seconds: Number((elapsedMs / 1000).toFixed(1))
  })
}

/** @param columns of the terminal: nothing is wider, unless it is very narrow */
export function writtenReport(proof: Proof, board: Board, elapsedMs: number, columns: number): string {
  const { produced, processed, missing, outOfOrder, unknown, wrongPaths } = proof
  const { requests, bytes, errors } = proof.counted.total
  const facts = [
    verdict(`${count(processed)} of ${count(produced)} lines were processed`, 'line', missing),
    verdict('The lines of every client address were processed in order', 'line', outOfOrder),
    verdict('The counts of every path are those of the file', 'path', wrongPaths),
    ...(unknown.length > 0 ? [verdict('Only lines of the file were processed', 'line', unknown)] : []),
    note(`${count(requests)} requests, ${megabytes(bytes)} MB, ${count(errors)} errors were counted.`),
    ...duplicateFacts(proof, board),
    ...board.takeovers.map(takeoverFact)
  ]
  const summary = holds(proof)
    ? colors.green(`  Nothing lost, nothing out of order, in ${seconds(elapsedMs)}.`)
    : colors.red(`  This is not as it must be. It took ${seconds(elapsedMs)}.`)
  return ['', ...facts.map(fact => factText(fact, columns)), '', topTable(proof, columns), '', summary].join('\n')
}

/** A sentence behind a mark. */
interface Fact {
  readonly mark: string
  readonly text: string
}

const good = (text: string): Fact => ({ mark: colors.green('✔'), text })
const bad = (text: string): Fact => ({ mark: colors.red('✘'), text })
const note = (text: string): Fact => ({ mark: colors.dim('•'), text })

function factText({ mark, text }: Fact, columns: number): string {
  return `  ${mark} ${hang(text.split(' '), 4, columns)}`
}

function verdict(claim: string, noun: string, exceptions: readonly (number | string)[]): Fact {
  if (exceptions.length === 0) return good(`${claim}.`)
  const shown = exceptions.slice(0, SHOWN).map(it => cell(String(it), LONGEST_PATH).trimEnd())
  if (exceptions.length > SHOWN) shown.push('…')
  return bad(`${claim}: not so for ${counted(exceptions.length, noun)} (${shown.join(', ')}).`)
}

function duplicateFacts({ duplicates }: Proof, board: Board): Fact[] {
  if (duplicates.length === 0) return [note('No line was processed twice.')]
  const killed = [...board.workers.values()].filter(({ state }) => state === 'killed').map(({ workerId }) => workerId)
  const ofKilled = duplicates.filter(({ firstBy }) => killed.includes(firstBy)).length
  const others = duplicates.length - ofKilled
  const because = `${killed.join(', ')} was killed before a checkpoint`
  return [
    ...(ofKilled > 0 ? [note(`${counted(ofKilled, 'line')} came twice: ${because}.`)] : []),
    ...(others > 0 ? [note(`${counted(others, 'line')} came twice for another reason.`)] : [])
  ]
}

function takeoverFact({ shardId, from, by, waitedMs }: Takeover): Fact {
  const shard = `Shard ${shardNumber(shardId)} of ${from}`
  if (waitedMs === undefined) return bad(`${shard} was not taken by another worker.`)
  return note(`${shard} waited ${seconds(waitedMs)} for ${by}.`)
}

function counted(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? '' : 's'}`
}

function topTable(proof: Proof, columns: number): string {
  const head = ['most requested', 'requests', 'MB', 'errors']
  const rows = proof.counted
    .top(TOP_PATHS)
    .map(([path, of]) => [path, count(of.requests), megabytes(of.bytes), count(of.errors)])
  const widthOf = (column: number): number => Math.max(...[head, ...rows].map(row => row[column]?.length ?? 0))
  const room = columns - TABLE_FRAME - widthOf(1) - widthOf(2) - widthOf(3)
  const pathWidth = Math.max(SHORTEST_PATH, Math.min(LONGEST_PATH, room))
  const table = new Table({
    head,
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: colors.isColorSupported ? ['gray'] : [], compact: true }
  })
  for (const [path = '', ...numbers] of rows) table.push([cell(path, pathWidth).trimEnd(), ...numbers])
  return table.toString().replaceAll(/^/gm, '  ')
}
