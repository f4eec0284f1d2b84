// How the code of a user is made to behave in a simulated world, by seed: slow, failing, never returning, failing with some of
// what it was given, and failing always with some records.
import type { ConsumedRecord } from '../model/record.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { namedRecord } from '../processor/failure-rules.ts'
import type { ProcessRecordsOutcome } from '../processor/record-processor.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'

/** How the code of the user is made to behave, by seed. Nothing is changed by default. Shares are from 0 to 1. */
export interface Conduct {
  /** How long each call takes beside what the user's code takes. Milliseconds: least and most. */
  readonly takesMs?: readonly [least: number, most: number]
  /** Share of the calls that fail before the user's code is called. */
  readonly failing?: number
  /** Share of the calls that never return. Unless the worker has a limit of its own, for a quarter of an hour nothing follows. */
  readonly hanging?: number
  /** Share of the calls of a `handler` that process some records only, and name the others as failed. */
  readonly partial?: number
  /** Share of the calls of a `handler` that process some records only, settle these one by one, and fail. */
  readonly settling?: number
  /** Records with which every call fails. A call that is `partial` or `settling` fails with them, and perhaps with others. */
  readonly poison?: (record: ConsumedRecord) => boolean
  /** How the destination of dead letters behaves. */
  readonly letters?: LetterConduct
}

/** How a destination of dead letters is made to behave, by seed. Shares are of its calls, from 0 to 1. */
export interface LetterConduct {
  /** How long each call takes. Milliseconds: least and most. */
  readonly takesMs?: readonly [least: number, most: number]
  /** Share of the calls that fail; of these, one in two has stored the letters all the same. */
  readonly failing?: number
  /** Share of the calls that never return. */
  readonly hanging?: number
}

/** Where time and chance of a conduct come from. */
export interface ConductPorts {
  readonly clock: Clock
  readonly random: Random
}

/** Of the calls that process some records only, each record is left undone with this probability. */
const LEFT_UNDONE = 0.3

/** Takes its time, and never returns if chance has it so. Of what takes no time and always returns, chance knows nothing. */
export async function dawdle(
  { takesMs: [least, most] = [0, 0], hanging = 0 }: Pick<Conduct, 'takesMs' | 'hanging'>,
  { clock, random }: ConductPorts
): Promise<void> {
  if (most > 0) await clock.sleep(least + random.next() * (most - least))
  if (isDrawn(hanging, random)) await new Promise<never>(() => {})
}

/** Whether something happens that has a probability; what never happens takes nothing from `random`. */
export function isDrawn(share: number, random: Random): boolean {
  return share > 0 && random.next() < share
}

/** Calls user code that has nothing to say of single records. */
export async function conducted<T>(
  conduct: Conduct,
  ports: ConductPorts,
  records: readonly ConsumedRecord[],
  code: () => T | Promise<T>
): Promise<T> {
  await dawdle(conduct, ports)
  if (isDrawn(conduct.failing ?? 0, ports.random)) throw asPlanned()
  failIfPoisoned(conduct, records)
  return code()
}

/** Calls user code with the records that are to be processed, if there are any, and says what is failed as the conduct has it. */
export async function conductedHandler(
  conduct: Conduct,
  ports: ConductPorts,
  records: readonly ConsumedRecord[],
  settle: (record: ExtendedSequenceNumber) => void,
  code: (records: readonly ConsumedRecord[]) => ProcessRecordsOutcome | Promise<ProcessRecordsOutcome>
): Promise<ProcessRecordsOutcome> {
  const { random } = ports
  await dawdle(conduct, ports)
  if (isDrawn(conduct.failing ?? 0, random)) throw asPlanned()
  const isNaming = isDrawn(conduct.partial ?? 0, random)
  if (!isNaming && !isDrawn(conduct.settling ?? 0, random)) {
    failIfPoisoned(conduct, records)
    return code(records)
  }
  const undone = new Set(records.filter(record => isPoison(conduct, record) || random.next() < LEFT_UNDONE))
  const chosen = records.filter(record => !undone.has(record))
  const outcome = chosen.length === 0 ? undefined : await code(chosen)
  const failed = [...undone, ...(outcome?.failed ?? [])]
  if (isNaming || failed.length === 0) return { failed }
  const keys = new Set(failed.map(each => keyOf(Object(namedRecord(each).record))))
  for (const record of chosen) if (!keys.has(keyOf(record))) settle(record)
  throw asPlanned()
}

function failIfPoisoned(conduct: Conduct, records: readonly ConsumedRecord[]): void {
  if (conduct.poison !== undefined && records.some(conduct.poison)) throw new Error('A record is poison')
}

function isPoison({ poison }: Conduct, record: ConsumedRecord): boolean {
  return poison?.(record) === true
}

function keyOf({ sequenceNumber, subSequenceNumber }: ExtendedSequenceNumber): string {
  return `${sequenceNumber}#${subSequenceNumber}`
}

function asPlanned(): Error {
  return new Error('The simulation makes this call fail')
}
