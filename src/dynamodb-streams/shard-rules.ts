// The shards of a DynamoDB stream as shards of any other stream, what their ids say of time, and what a stream is called. What is
// inferred here loses no records if it is wrong: more is read then than had to be.
import { OptionError } from '../model/errors.ts'
import { shown } from '../model/option-rules.ts'
import type { Shard } from '../model/shard.ts'

/** A shard as the AWS SDK has it. */
export interface SdkShard {
  readonly ShardId?: string | undefined
  readonly ParentShardId?: string | undefined
  readonly SequenceNumberRange?:
    | { readonly StartingSequenceNumber?: string | undefined; readonly EndingSequenceNumber?: string | undefined }
    | undefined
}

/**
 * A listing as it is to be understood. A shard that another one continues is closed, also where the listing shows it open: its pages
 * are not of one moment. In a stream that has ended (`hasEnded`: it is disabled), a shard that nothing continues is the last one.
 */
export function shardsOf(listed: readonly SdkShard[], hasEnded: boolean): Shard[] {
  const parents = new Set(listed.flatMap(({ ParentShardId }) => ParentShardId ?? []))
  return listed.map(({ ShardId = '', ParentShardId, SequenceNumberRange }) => {
    const { StartingSequenceNumber = '0', EndingSequenceNumber } = SequenceNumberRange ?? {}
    const isContinued = parents.has(ShardId)
    const endsAt = EndingSequenceNumber ?? (isContinued ? StartingSequenceNumber : undefined)
    return {
      shardId: ShardId,
      ...(ParentShardId !== undefined && { parentShardId: ParentShardId }),
      startingSequenceNumber: StartingSequenceNumber,
      ...(endsAt !== undefined && { endingSequenceNumber: endsAt }),
      ...(hasEnded && !isContinued && { isLast: true })
    }
  })
}

/**
 * How long before the wanted time a shard has to have been there to count as open then. Its id has a time, by a clock that nobody
 * promises anything about. Milliseconds.
 */
const ID_MARGIN_MS = 1_800_000

/**
 * The shards that were open at a time, or a while before it: shards live four hours, and everything before these need not be read.
 * `undefined`: the ids do not say, as nobody promises that they do.
 */
export function shardsOpenAt(shards: readonly Shard[], timestampMs: number): Shard[] | undefined {
  const beganMs = new Map<string, number>()
  for (const { shardId } of shards) {
    const time = timeIn(shardId)
    if (time === undefined) return undefined
    beganMs.set(shardId, time)
  }
  const wasThere = ({ shardId }: Shard): boolean => (beganMs.get(shardId) ?? 0) <= timestampMs - ID_MARGIN_MS
  const continued = new Set(shards.filter(wasThere).flatMap(({ parentShardId }) => parentShardId ?? []))
  return shards.filter(shard => wasThere(shard) && !continued.has(shard.shardId))
}

/** No stream of a table is older. Epoch milliseconds of 2012. */
const FIRST_MS = 1_325_376_000_000

/** When a shard began, as its id says: `shardId-00000001414576573621-f55eea83`. Epoch milliseconds. */
function timeIn(shardId: string): number | undefined {
  const time = Number(/^shardId-(\d{20})-[0-9a-f]+$/.exec(shardId)?.[1])
  return time >= FIRST_MS && Number.isSafeInteger(time) ? time : undefined
}

const TABLE_NAME = /^[a-zA-Z0-9_.-]{3,255}$/
const STREAM_ARN = /^(arn:[^:]+:dynamodb:[^:]*:[^:]*:table\/([a-zA-Z0-9_.-]{3,255})\/stream)\/([^/]+)$/

/** The parts of the ARN of a stream. */
export interface StreamArnParts {
  /** The same for every stream that the table has had. */
  readonly ofTable: string
  readonly tableName: string
  /** Which stream of the table it is: when it was enabled, such as `2026-05-20T20:51:10.252`. */
  readonly label: string
}

/** Takes the ARN of a stream apart. `undefined`: it is none. */
export function partsOfArn(streamArn: string): StreamArnParts | undefined {
  const [, ofTable, tableName, label] = STREAM_ARN.exec(streamArn) ?? []
  return ofTable === undefined || tableName === undefined || label === undefined
    ? undefined
    : { ofTable, tableName, label }
}

/** When a stream was enabled, by its label, which has no time zone and means UTC. Epoch milliseconds; `undefined`: it does not say. */
export function timeOfLabel(label: string): number | undefined {
  const time = Date.parse(/[zZ]$|[+-]\d\d:?\d\d$/.test(label) ? label : `${label}Z`)
  return Number.isNaN(time) ? undefined : time
}

/** Which stream: the newest one of a table, or one by its ARN. */
export type TableStream =
  | {
      /** Name of the table, in the account and region of the client. Its newest stream is read. */
      readonly tableName: string
      readonly streamArn?: never
    }
  | {
      /** ARN of one stream of a table, `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL`. Also one that was disabled less than a day ago. */
      readonly streamArn: string
      readonly tableName?: never
    }

/** Checks which stream is meant. @throws OptionError */
export function checkTableStream(given: TableStream): { readonly tableName: string; readonly streamArn?: string } {
  const { tableName, streamArn } = Object(given) as { readonly tableName?: unknown; readonly streamArn?: unknown }
  if (tableName !== undefined && streamArn !== undefined) {
    throw new OptionError('tableName', `is ${shown(tableName)} beside streamArn, expected one of the two`)
  }
  if (streamArn !== undefined) {
    const parts = typeof streamArn === 'string' ? partsOfArn(streamArn) : undefined
    if (typeof streamArn === 'string' && parts !== undefined) return { tableName: parts.tableName, streamArn }
    const expected = 'expected an ARN like arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL'
    throw new OptionError('streamArn', `is ${shown(streamArn)}, ${expected}`)
  }
  if (typeof tableName === 'string' && TABLE_NAME.test(tableName)) return { tableName }
  throw new OptionError('tableName', `is ${shown(tableName)}, expected 3 to 255 letters, digits, _, - or .`)
}

/** Of the streams of a table the one that was enabled last. */
export function newestStream(arns: readonly string[]): string | undefined {
  const at = (arn: string): number => timeOfLabel(partsOfArn(arn)?.label ?? '') ?? 0
  return [...arns].sort((a, b) => at(b) - at(a))[0]
}
