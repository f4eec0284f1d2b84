// What decodes the records of a simulated worker: which of them cannot be decoded is watched, so that nobody else is given up for
// that reason.
import { asDecodeFunction, type Decode } from '../decoding/decoder.ts'
import { asUndecodable } from '../decoding/undecodable-rules.ts'
import type { ConsumedRecord } from '../model/record.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'

/** Is told of records that cannot be decoded. */
export interface DecodeWatch {
  /** A record cannot be decoded. */
  undecodable(position: ExtendedSequenceNumber): void
}

/** What decodes records, watched. What decodes nothing is left for the worker to refuse. */
export function watchedDecode(given: Decode<unknown>, watch: DecodeWatch): Decode<unknown> {
  if (!isDecode(given)) return given
  const decode = asDecodeFunction('decode', given)
  const refused = (record: ConsumedRecord, cause: unknown): never => {
    if (asUndecodable(record, cause) !== undefined) watch.undecodable(record)
    throw cause
  }
  return record => {
    try {
      const value = decode(record)
      return value instanceof Promise ? value.catch(cause => refused(record, cause)) : value
    } catch (cause) {
      return refused(record, cause)
    }
  }
}

function isDecode(given: unknown): given is Decode<unknown> {
  try {
    asDecodeFunction('decode', given as Decode<unknown>)
    return true
  } catch {
    // Whose message is the worker's to tell.
    return false
  }
}
