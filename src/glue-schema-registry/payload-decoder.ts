// What turns payloads into values, for the version of a schema: for each of the three formats of the registry.
import { RecordUndecodableError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'

/** Makes a value of a payload. @throws PayloadError if it is none of its schema */
export type PayloadDecoder = (payload: Uint8Array) => unknown

/** Numbers of 64 bits: as `number`, where those that are not exact are refused, or as `bigint`. */
export type Longs = 'number' | 'bigint'

/** A payload, or a schema, cannot be read. `reason`: in one word. The message quotes nothing of it. */
export class PayloadError extends Error {
  /** What is wrong, in one word. */
  readonly reason: string

  constructor(reason: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'PayloadError'
    this.reason = reason
  }
}

/** What was thrown while a record was decoded, as it is to be told. */
export function asRecordError(record: ConsumedRecord, thrown: unknown): unknown {
  if (!(thrown instanceof PayloadError)) return thrown
  return new RecordUndecodableError(record, thrown.reason, thrown.message, { cause: thrown })
}

/** A number of 64 bits as it is asked for. @throws PayloadError */
export function longOf(value: bigint, longs: Longs): number | bigint {
  if (longs === 'bigint') return value
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw inexact()
}

/** That a number is too large to be exact. */
export function inexact(cause?: unknown): PayloadError {
  const problem = "it has a number of 64 bits that is not exact as a number; option longs: 'bigint' takes it as it is"
  return new PayloadError('inexact-number', problem, cause === undefined ? {} : { cause })
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Decodes JSON. @throws PayloadError */
export function decodeJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(payload))
  } catch {
    throw new PayloadError('not-json', `its ${payload.length} bytes are not JSON, as its schema says`)
  }
}
