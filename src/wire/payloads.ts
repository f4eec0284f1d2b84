// The payloads of an answer in JSON: from base64 in its body to bytes in one memory that is theirs alone.
import { Base64Decoder, base64Bytes } from './base64.ts'
import type { RecordScanner } from './record-scanner.ts'
import type { RecordTable } from './record-table.ts'

/** After how many bytes whoever drives the work is asked whether something else is to be done first. */
const STEP_BYTES = 131_072

/** What is decoded without a scanner. */
const NONE: readonly [number, number] = [0, 0]

/**
 * Decodes the payloads that `table` has the places of in `body`, and says in it where they are in what is returned, which is
 * as long as all of them together. Yields from time to time. Returns undefined if one of them is not base64.
 *
 * @param scanner makes it quicker
 */
export function* decodePayloads(
  table: RecordTable,
  body: Buffer,
  scanner?: RecordScanner
): Generator<void, Buffer | undefined, void> {
  let total = 0
  for (let index = 0; index < table.count; index++) {
    const at = table.dataAt(index)
    const bytes = base64Bytes(body, at, at + table.dataLength(index))
    if (bytes < 0) return undefined
    total += bytes
  }
  // Not out of the pool of Node.js: it is to go when the records go, and may be given to another thread.
  const data = Buffer.allocUnsafeSlow(total)
  const decoder = new Base64Decoder(body, data)
  let to = 0
  let pauseAt = STEP_BYTES
  let quick = scanner?.worthFor(body)
  for (let index = 0; index < table.count; index++) {
    const [count, behind] = quick?.decode(body, table, index, data, to) ?? NONE
    if (count < 0) quick = undefined
    if (count > 0) {
      index += count - 1
      to = behind
      yield
      continue
    }
    const at = table.dataAt(index)
    const end = at + table.dataLength(index)
    const bytes = decoder.decode(at, end, to)
    if (bytes < 0) return undefined
    table.moveData(index, to, bytes)
    to += bytes
    if (to < pauseAt) continue
    pauseAt = to + STEP_BYTES
    yield
  }
  return data
}
