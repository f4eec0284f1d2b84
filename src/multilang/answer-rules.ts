// What a child says over its standard output. Everything is taken that KCL's daemon takes, and some of what it does not: whatever
// else stands there was printed by code that knows nothing of a protocol.

/** What a line of a child comes to. */
export type ChildMessage =
  /** The answer to what it was asked to do. */
  | {
      readonly kind: 'status'
      readonly responseFor: string | undefined
      readonly shardId: string | undefined
      /** For how many shards it would work at the same time: the extension of docs/multilang-many-shards.md. Absent: one. */
      readonly maxShards: number | undefined
    }
  /** It wants a checkpoint. Without a sequence number: of everything that it was given. */
  | {
      readonly kind: 'checkpoint'
      readonly sequenceNumber: string | null
      readonly subSequenceNumber: number | null
      readonly shardId: string | undefined
    }
  | { readonly kind: 'blank' }
  /** No message, or none that a child sends. */
  | { readonly kind: 'noise'; readonly because: string }

/** What only a daemon says. */
const OURS = ['initialize', 'processRecords', 'record', 'shutdown', 'shutdownRequested', 'leaseLost', 'shardEnded']
const OF_CHECKPOINTS = ['action', 'sequenceNumber', 'subSequenceNumber', 'error', 'shardId']
const BLANK: ChildMessage = { kind: 'blank' }

/** Reads a line of a child. */
export function parseAnswer(line: string): ChildMessage {
  if (line.trim() === '') return BLANK
  const fields = fieldsOf(line)
  if (fields === undefined) return noise('it is no JSON object')
  const { action } = fields
  if (action === 'status') return status(fields)
  if (action === 'checkpoint') return checkpoint(fields)
  if (typeof action !== 'string') return noise('it has no action')
  return noise(OURS.includes(action) ? 'its action is one of the daemon' : 'its action is unknown')
}

type Fields = Readonly<Record<string, unknown>>

function status({ responseFor, shardId, maxShards }: Fields): ChildMessage {
  const most = typeof maxShards === 'string' ? Number(maxShards) : Number.NaN
  return {
    kind: 'status',
    responseFor: textIn(responseFor),
    shardId: textIn(shardId),
    maxShards: Number.isSafeInteger(most) && most >= 1 ? most : undefined
  }
}

function checkpoint(fields: Fields): ChildMessage {
  const { sequenceNumber, subSequenceNumber, shardId, checkpoint: former } = fields
  // What KCL's first clients called it. Not to be read as "everything", which a checkpoint without a position means.
  const isFormer = sequenceNumber === undefined && (typeof former === 'string' || former === null)
  const at = isFormer ? former : sequenceNumber
  const others = Object.keys(fields).filter(name => !OF_CHECKPOINTS.includes(name))
  if (at === undefined && others.length > 0)
    return noise('it has no sequenceNumber, and what it has instead is unknown')
  const sub = wholeNumberIn(subSequenceNumber)
  if (sub === undefined) return noise('its subSequenceNumber is no number')
  if (at !== undefined && at !== null && textIn(at) === undefined) return noise('its sequenceNumber is no text')
  return { kind: 'checkpoint', sequenceNumber: textIn(at) ?? null, subSequenceNumber: sub, shardId: textIn(shardId) }
}

function noise(because: string): ChildMessage {
  return { kind: 'noise', because }
}

/** Text, or what stands for itself. `undefined`: there is none. */
function textIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'boolean' ? String(value) : undefined
}

/** A number, also as text, without its fraction; null for nothing at all. `undefined`: something else. */
function wholeNumberIn(value: unknown): number | null | undefined {
  if (value === undefined || value === null) return null
  if (typeof value !== 'string') return undefined
  const digits = value.trim()
  if (digits === '') return null
  if (!/^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$/.test(digits)) return undefined
  return Math.trunc(Number(digits))
}

/**
 * The properties of the object that a line begins with, whatever follows it. Numbers are texts: those of Kinesis have 56 digits,
 * and would be rounded.
 */
function fieldsOf(line: string): Fields | undefined {
  const text = firstObject(line)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as Fields
  } catch {
    return undefined
  }
}

/** The JSON of that object, with every number in quotes. */
function firstObject(line: string): string | undefined {
  const token = /[ \t\r\n\ufeff]*(?:("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|([[\]{}:,])|(true|false|null))/y
  let json = ''
  let depth = 0
  do {
    const found = token.exec(line)
    if (found === null) return undefined
    const [, text, number, mark, word] = found
    if (json === '' && mark !== '{') return undefined
    if (mark === '{' || mark === '[') depth += 1
    if (mark === '}' || mark === ']') depth -= 1
    json += number === undefined ? (text ?? mark ?? word) : JSON.stringify(number)
  } while (depth > 0)
  return json
}
