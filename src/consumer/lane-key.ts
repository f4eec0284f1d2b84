// Which lane a record goes into. Where the user's code is to say that, it may say nothing that makes sense.
import { messageOf, OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { formatPosition } from '../model/sequence-number.ts'
import type { LaneKey } from './delivery-options.ts'

/** What decides which records share a lane. `one`: all of them do, so that batches follow each other. */
export type LaneBy = LaneKey | 'one'

/** The key of the lane of a record; `undefined`: it needs none. An error where the user's code does not say. Never throws. */
export function laneKeyOf(record: ConsumedRecord, by: LaneBy): string | undefined | OptionError {
  if (by === 'none') return undefined
  if (by === 'one') return ''
  if (by === 'key') return record.partitionKey
  try {
    const key: unknown = by(record)
    if (typeof key === 'string') return key
    const problem = `returned a ${typeof key} for ${formatPosition(record)}, expected a text`
    return new OptionError('concurrency.by', problem)
  } catch (cause) {
    return new OptionError('concurrency.by', `threw for ${formatPosition(record)}: ${messageOf(cause)}`, { cause })
  }
}
