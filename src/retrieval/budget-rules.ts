// How many bytes of memory a read takes, and how many records to ask for so that it takes no more than it may.

/** The largest answer there is, in bytes of payload. */
export const MAX_ANSWER_BYTES = 10 * 1024 * 1024
/** What is put into a shard within a second, at most, by the limits of Kinesis. Bytes. */
const WRITTEN_PER_SECOND = 1024 * 1024
/** What a read at the tip is expected to bring at least, however little time has passed. Bytes. */
const LEAST_AT_TIP = 16 * 1024
/** How large records are believed to be of which none has been seen: as large as they usually may be. Bytes. */
const UNSEEN_RECORD_BYTES = 1024 * 1024
/** How large they are believed to be where it matters how many there are. Bytes. */
const UNCOUNTED_RECORD_BYTES = 1024
/** How many times more records are asked for than came at once before, where the largest answer would not fit. */
const RAMP = 16

/** For each byte of payload under way: 4/3 as base64, and 1 for what is decoded out of that. */
const UNDER_WAY_PER_BYTE = 7 / 3
/** For each record under way: what is around it in the answer, its numbers and keys, and what is made of them. */
const UNDER_WAY_PER_RECORD = 512
/** For each record that was read, beside its payload: the record, its numbers and keys, and the same taken apart. Measured. */
const READ_PER_RECORD = 480

/** For each user record, beside its payload: the object, its places in two arrays, its row of the columns. Measured. */
const USER_RECORD_BYTES = 96

/**
 * How many bytes an answer takes while it is under way: its text, and what is decoded out of it; or the same with its user
 * records, which come when the text has gone, if that is more.
 */
export function underWayBytes(payloadBytes: number, records: number, userBytesPerByte = 0): number {
  const perByte = Math.max(UNDER_WAY_PER_BYTE, 1 + userBytesPerByte)
  return Math.ceil(payloadBytes * perByte + records * UNDER_WAY_PER_RECORD)
}

/** How many bytes the records of an answer take once they have been read, where nobody has counted them. */
export function readBytes(payloadBytes: number, records: number): number {
  return payloadBytes + records * READ_PER_RECORD
}

/** How many bytes these many user records take, beside the records that they were made of. */
export function userRecordBytes(userRecords: number): number {
  return userRecords * USER_RECORD_BYTES
}

/** What the answers of a shard have been like. Forgets slowly what was large, and at once what was small. */
export interface AnswerHabits {
  /** Bytes of payload per record. Absent: none was seen. */
  readonly recordBytes?: number
  /** How many records came at once. */
  readonly records: number
  /** Bytes of payload that came at once. */
  readonly bytes: number
  /** Bytes that user records take for each byte of payload that they were made of. Absent: none were made. */
  readonly userBytesPerByte?: number
}

/** Nothing has been read. */
export const NO_HABITS: AnswerHabits = { records: 0, bytes: 0 }

/** What answers are like after one more. One without records says nothing about how large records are. */
export function habitsAfter(habits: AnswerHabits, records: number, bytes: number): AnswerHabits {
  const { recordBytes = 0 } = habits
  const most = { records: Math.max(records, habits.records >> 1), bytes: Math.max(bytes, Math.floor(habits.bytes / 2)) }
  if (records === 0) return habits.recordBytes === undefined ? habits : { ...habits, ...most }
  return { ...habits, recordBytes: Math.max(1, bytes / records, recordBytes / 2), ...most }
}

/** What answers are like after `bytes` bytes of payload were taken apart into user records. */
export function habitsAfterTaking(habits: AnswerHabits, bytes: number, userRecords: number): AnswerHabits {
  if (bytes === 0) return habits
  return { ...habits, userBytesPerByte: userRecordBytes(userRecords) / bytes }
}

/** How many bytes the user records will take that are made of so much payload, as far as can be told. */
export function expectedUserBytes({ userBytesPerByte = 0 }: AnswerHabits, payloadBytes: number): number {
  return Math.ceil(payloadBytes * userBytesPerByte)
}

/** What a read may ask for, and why it may bring less. */
export interface ReadFacts {
  /** How many records may be asked for. */
  readonly maxRecords: number
  /** How many bytes the read may take while it is under way. */
  readonly shareBytes: number
  /** How many bytes of payload it should bring at most. May be Infinity. */
  readonly maxBytes: number
  /** How long ago everything in the shard had been read. Milliseconds; absent: there may be any amount. */
  readonly sinceTipMs: number | undefined
}

/** A read: how many records to ask for, and how many bytes it takes while it is under way. */
export interface ReadPlan {
  readonly limit: number
  readonly bytes: number
}

/**
 * Plans a read that takes `shareBytes` at most and brings `maxBytes` at most, as far as can be told from earlier answers.
 * Where the largest answer fits, and is not too large, `maxRecords` are asked for.
 */
export function planRead(habits: AnswerHabits, facts: ReadFacts): ReadPlan {
  const { shareBytes, maxBytes, sinceTipMs } = facts
  const { recordBytes, userBytesPerByte } = habits
  const maxRecords = Math.max(
    1,
    Math.min(facts.maxRecords, Math.floor(maxBytes / (recordBytes ?? UNCOUNTED_RECORD_BYTES)))
  )
  const mostRecords = recordsPerAnswer(habits, maxRecords)
  const isRoomy =
    underWayBytes(MAX_ANSWER_BYTES, recordBytes === undefined ? 0 : mostRecords, userBytesPerByte) <= shareBytes
  const limit = isRoomy ? maxRecords : limitWithin(habits, maxRecords, shareBytes)
  const askedBytes =
    recordBytes === undefined && isRoomy ? MAX_ANSWER_BYTES : limit * (recordBytes ?? UNSEEN_RECORD_BYTES)
  const payloadBytes = Math.min(MAX_ANSWER_BYTES, askedBytes, expectedBytes(habits, sinceTipMs))
  const records = Math.min(limit, Math.ceil(payloadBytes / (recordBytes ?? UNCOUNTED_RECORD_BYTES)))
  // No more than the share, even where one record takes more: it is read nevertheless, or the shard would stand still.
  return { limit, bytes: Math.min(Math.max(1, shareBytes), underWayBytes(payloadBytes, records, userBytesPerByte)) }
}

/** How many records an answer has at most, whatever is asked for, given how large they have been. */
export function recordsPerAnswer({ recordBytes }: AnswerHabits, maxRecords: number): number {
  return recordBytes === undefined ? maxRecords : Math.min(maxRecords, Math.ceil(MAX_ANSWER_BYTES / recordBytes))
}

function limitWithin(habits: AnswerHabits, maxRecords: number, shareBytes: number): number {
  const { recordBytes = UNSEEN_RECORD_BYTES, records, userBytesPerByte } = habits
  const fitting = Math.floor(shareBytes / underWayBytes(recordBytes, 1, userBytesPerByte))
  return Math.max(1, Math.min(maxRecords, fitting, RAMP * Math.max(1, records)))
}

/** How much payload there can be: what was written since the tip was read, or what came at once before, if that is more. */
function expectedBytes({ bytes }: AnswerHabits, sinceTipMs: number | undefined): number {
  if (sinceTipMs === undefined) return Number.POSITIVE_INFINITY
  return Math.max(LEAST_AT_TIP, bytes, (sinceTipMs / 1_000) * WRITTEN_PER_SECOND)
}
