// Positions that a processor keeps with its own data: asks it for them, has it save them, and checks what it says. What they
// mean for the progress of the shard is known to checkpoint/checkpointer.ts.
import type { OwnCheckpoint, ShardProgress } from '../checkpoint/checkpointer.ts'
import type { Tenure } from '../leases/tenure.ts'
import { CheckpointRefusedError, LeaseLostError, ProcessorGoneError } from '../model/errors.ts'
import { type ExtendedSequenceNumber, isPosition, isRecordPosition, positionOf } from '../model/sequence-number.ts'
import type { RecordProcessor, ShardPlace } from '../processor/record-processor.ts'

/** Which shard it is about, and what is asked of its tenure: its token, and whether it still holds the lease. */
export interface Holder {
  readonly place: ShardPlace
  readonly tenure: Pick<Tenure, 'fencingToken' | 'lease' | 'renew'>
}

/** What is asked of a processor. */
type Keeper = Pick<RecordProcessor, 'loadCheckpoint' | 'saveCheckpoint' | 'leaseLost'>

/**
 * Asks a processor for the position that it has saved. `undefined`: it keeps none.
 *
 * @throws CheckpointRefusedError if what it returns is no position of a record (`malformed`), or if it says that the lease is
 *   lost, which it is not (`fenced`)
 * @throws LeaseLostError if the processor says so, and it is
 */
export async function loadOwnCheckpoint(
  processor: Keeper,
  { place, tenure }: Holder,
  signal: AbortSignal
): Promise<OwnCheckpoint | undefined> {
  if (processor.loadCheckpoint === undefined) return undefined
  const { fencingToken, lease } = tenure
  const input = { ...place, fencingToken, checkpoint: positionOf(lease.checkpoint), signal }
  const loaded = await unlessFenced({ place, tenure }, async () => processor.loadCheckpoint?.(input))
  return { position: checkedPosition(place.shardId, loaded), saves: processor.saveCheckpoint !== undefined }
}

/**
 * Has a processor save a position with its data.
 *
 * @throws whatever the processor throws; LeaseLostError and CheckpointRefusedError as {@link loadOwnCheckpoint}
 */
export async function saveOwnCheckpoint(
  processor: Keeper,
  { place, tenure }: Holder,
  positions: { readonly position: ExtendedSequenceNumber; readonly previous: ExtendedSequenceNumber | undefined },
  signal: AbortSignal
): Promise<void> {
  const { fencingToken } = tenure
  await unlessFenced({ place, tenure }, async () =>
    processor.saveCheckpoint?.({ ...place, fencingToken, ...positions, signal })
  )
}

/**
 * Sees to it, before a call, that processor and framework agree on what is saved. `isRepeated`: the call was made before.
 *
 * @throws ProcessorGoneError if they do not: the processor, which is told by `leaseLost`, cannot know what of its memory is saved,
 *   and another one has to begin
 */
export async function confirmOwnCheckpoint(
  progress: ShardProgress,
  isRepeated: boolean,
  processor: Keeper,
  holder: Holder,
  signal: AbortSignal
): Promise<void> {
  if (await progress.confirm(isRepeated, () => loadOwnCheckpoint(processor, holder, signal))) return
  const { place } = holder
  const { shardId } = place
  const because = 'another position is saved than it knows of'
  try {
    await processor.leaseLost({ ...place })
  } catch (cause) {
    throw new ProcessorGoneError(shardId, because, { cause })
  }
  throw new ProcessorGoneError(shardId, because)
}

/**
 * A processor that finds a higher token in its store says that the lease is lost. The lease table knows whether it is: writing to it
 * ends the tenure, or shows that the store is the one in the wrong.
 */
async function unlessFenced<T>({ place, tenure }: Holder, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof LeaseLostError)) throw error
    await tenure.renew()
    const message =
      `The processor of ${place.shardId} refuses fencing token ${tenure.fencingToken}, although it is that of the owner of the lease. ` +
      'Was the row of the lease deleted, which begins the tokens anew, or do two applications share one store?'
    throw new CheckpointRefusedError('fenced', message)
  }
}

/** Numbers are refused on purpose: those of a shard have 56 digits, and a database that keeps them as numbers rounds them. */
function checkedPosition(shardId: string, loaded: unknown): ExtendedSequenceNumber | undefined {
  if (loaded === undefined) return undefined
  const position = Object(loaded) as ExtendedSequenceNumber
  const isOfRecord = typeof position.sequenceNumber === 'string' && isPosition(position) && isRecordPosition(position)
  // Kinesis takes a number with leading zeros for none.
  if (isOfRecord && !/^0\d/.test(position.sequenceNumber)) return positionOf(position)
  const found = typeof loaded !== 'object' || loaded === null ? shown(loaded) : inFields(position)
  const expected =
    'undefined or the position of a record: { sequenceNumber: digits as text, subSequenceNumber: 0 or more }'
  throw new CheckpointRefusedError('malformed', `loadCheckpoint of ${shardId} returned ${found}, expected ${expected}`)
}

function inFields({ sequenceNumber, subSequenceNumber }: ExtendedSequenceNumber): string {
  return `{ sequenceNumber: ${shown(sequenceNumber)}, subSequenceNumber: ${shown(subSequenceNumber)} }`
}

/** Briefly: it may be anything. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100))
  if (value === undefined || value === null) return String(value)
  return typeof value === 'object' ? 'an object' : `${typeof value} ${String(value)}`
}
