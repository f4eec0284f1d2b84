// Puts the lines of the access log into the stream at an even pace, keyed by client address, in the order of the file.
import { setTimeout as sleep } from 'node:timers/promises'
import { aggregate, type UserRecord } from 'millrace'
import type { LogLine } from './access-log.ts'
import type { RecordToPut, Stream } from './stream.ts'

/** Told how many lines went into a shard, once they are in it. */
export type PutListener = (shardId: string, lines: number) => void

const TICK_MS = 100
/** So that what has to be caught up with after a pause still fits into one call. */
const MAX_LINES_A_CALL = 400

const utf8 = new TextEncoder()

/**
 * Puts all lines within about `durationMs`. What is due goes into one call: an address with one line as a plain record,
 * one with several as a KPL aggregate. So a call has at most one record for each address, and the next call waits for it:
 * nothing can overtake a record that had to be put again.
 */
export async function produce(
  lines: readonly LogLine[],
  stream: Stream,
  durationMs: number,
  listener: PutListener
): Promise<void> {
  const startedMs = performance.now()
  for (let put = 0; put < lines.length; ) {
    await sleep(TICK_MS)
    const due = Math.ceil((lines.length * (performance.now() - startedMs)) / durationMs)
    const some = lines.slice(put, Math.min(due, put + MAX_LINES_A_CALL))
    if (some.length === 0) continue
    put += some.length
    const groups = [...groupByAddress(some).values()]
    const shardIds = await stream.put(groups.map(recordOf))
    shardIds.forEach((shardId, i) => {
      listener(shardId, groups[i]?.length ?? 0)
    })
  }
}

function groupByAddress(lines: readonly LogLine[]): Map<string, LogLine[]> {
  const groups = new Map<string, LogLine[]>()
  for (const line of lines) {
    const group = groups.get(line.address)
    if (group) group.push(line)
    else groups.set(line.address, [line])
  }
  return groups
}

/** A line carries its number in the file, so that the ledgers can be held against the file. */
function recordOf(lines: readonly LogLine[]): RecordToPut {
  const records: UserRecord[] = lines.map(({ number, address, text }) => ({
    partitionKey: address,
    data: utf8.encode(`${number}\t${text}`)
  }))
  const [first] = records
  return first !== undefined && records.length === 1 ? first : aggregate(records)
}
