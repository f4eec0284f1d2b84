// Tells the result: to a person in words, to a program in one JSON object.
import Table from 'cli-table3'
import colors from 'picocolors'
import type { Board, Takeover } from './board.ts'
import { shardNumber } from './board.ts'
import { holds, type Proof } from './proof.ts'
import { cell, count, megabytes, seconds } from './text.ts'

const TOP_PATHS = 5
const SHOWN = 5

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

export function writtenReport(proof: Proof, board: Board, elapsedMs: number): string {
  const { produced, processed, missing, outOfOrder, unknown, wrongPaths, counted } = proof
  const total = `${count(counted.total.requests)} requests, ${megabytes(counted.total.bytes)} MB, ${count(counted.total.errors)} errors`
  return [
    '',
    verdict(`${count(processed)} of ${count(produced)} lines were processed`, missing),
    verdict('The lines of every client address were processed in order', outOfOrder),
    verdict('The counts of every path are those of the file', [...wrongPaths, ...unknown]),
    `    ${total}`,
    duplicatesText(proof, board),
    ...takeoverTexts(board.takeovers),
    '',
    topTable(proof),
    '',
    holds(proof)
      ? colors.green(`  Nothing lost, nothing out of order, in ${seconds(elapsedMs)}.`)
      : colors.red(`  This is not as it must be. It took ${seconds(elapsedMs)}.`)
  ].join('\n')
}

function verdict(claim: string, exceptions: readonly (number | string)[]): string {
  if (exceptions.length === 0) return `  ${colors.green('✔')} ${claim}.`
  const more = exceptions.length > SHOWN ? ', …' : ''
  return `  ${colors.red('✘')} ${claim}: not so for ${count(exceptions.length)} (${exceptions.slice(0, SHOWN).join(', ')}${more}).`
}

function duplicatesText({ duplicates }: Proof, board: Board): string {
  if (duplicates.length === 0) return `  ${colors.dim('•')} No line was processed twice.`
  const killed = [...board.workers.values()].filter(({ state }) => state === 'killed').map(({ workerId }) => workerId)
  const ofKilled = duplicates.filter(({ firstBy }) => killed.includes(firstBy)).length
  const others = duplicates.length - ofKilled
  return [
    `  ${colors.dim('•')} ${count(duplicates.length)} lines were processed twice:`,
    `    ${count(ofKilled)} that ${killed.join(', ')} had not checkpointed yet when it was killed`,
    ...(others > 0 ? [`    ${count(others)} for another reason`] : [])
  ].join('\n')
}

function takeoverTexts(takeovers: readonly Takeover[]): string[] {
  return takeovers.map(({ shardId, from, by, waitedMs }) =>
    waitedMs === undefined
      ? `  ${colors.red('✘')} Shard ${shardNumber(shardId)} of ${from} was not taken by another worker.`
      : `  ${colors.dim('•')} Shard ${shardNumber(shardId)} of ${from} waited ${seconds(waitedMs)} for ${by}.`
  )
}

function topTable({ counted }: Proof): string {
  const table = new Table({
    head: ['most requested', 'requests', 'bytes', 'errors'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: colors.isColorSupported ? ['gray'] : [], compact: true }
  })
  for (const [path, { requests, bytes, errors }] of counted.top(TOP_PATHS)) {
    table.push([cell(path, 34).trimEnd(), count(requests), count(bytes), count(errors)])
  }
  return table
    .toString()
    .split('\n')
    .map(line => `  ${line}`)
    .join('\n')
}
