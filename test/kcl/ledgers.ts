// What the worker processes of both kinds wrote down, line by line, as it comes.
import { closeSync, openSync, readSync } from 'node:fs'

/** Java KCL, or Millrace. */
export type Kind = 'java' | 'ours'

/** A place in a shard: a sequence number, or a word such as `TRIM_HORIZON`, and the place inside an aggregate. */
export type Position = readonly [sequenceNumber: string, subSequenceNumber: number]

/** A record as a worker was given it. */
export interface GivenRecord {
  readonly key: string
  /** The number in its payload. */
  readonly id: number
  readonly position: Position
}

/** A line of a ledger. */
export interface Note {
  /** By the clock that all processes of the machine share. Monotonic milliseconds. */
  readonly atMs: number
  readonly worker: string
  readonly kind: Kind
  readonly shardId: string | undefined
  /** `began`, `ended`, `lost`, `shutdown-requested`, or anything else a worker tells. Absent: see the others. */
  readonly event: string | undefined
  readonly why: string | undefined
  /** Of `began`: reading begins after this. */
  readonly position: Position | undefined
  readonly given: readonly GivenRecord[] | undefined
  /** A checkpoint that is known to be stored. */
  readonly stored: Position | undefined
}

interface Followed {
  readonly worker: string
  readonly kind: Kind
  readonly file: string
  offset: number
  rest: string
}

const CHUNK_BYTES = 1 << 20

/** Follows the ledgers of all processes. A last line that was cut off by SIGKILL is never told. */
export class Ledgers {
  /** Every line so far, each ledger in its order. */
  readonly notes: Note[] = []
  readonly #followed: Followed[] = []
  readonly #buffer = Buffer.alloc(CHUNK_BYTES)

  follow(worker: string, kind: Kind, file: string): void {
    this.#followed.push({ worker, kind, file, offset: 0, rest: '' })
  }

  /** Reads what was written since the last time, and returns it. */
  read(): readonly Note[] {
    const from = this.notes.length
    for (const followed of this.#followed) this.#readOne(followed)
    return this.notes.slice(from)
  }

  #readOne(followed: Followed): void {
    let file: number
    try {
      file = openSync(followed.file, 'r')
    } catch (error) {
      // A process that was killed right away has not written anything.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    for (;;) {
      const length = readSync(file, this.#buffer, 0, CHUNK_BYTES, followed.offset)
      if (length === 0) break
      followed.offset += length
      // The lines are ASCII: ids, keys and numbers.
      const lines = (followed.rest + this.#buffer.toString('latin1', 0, length)).split('\n')
      followed.rest = lines.pop() ?? ''
      for (const line of lines) this.notes.push(parseNote(followed.worker, followed.kind, line))
    }
    closeSync(file)
  }
}

function parseNote(worker: string, kind: Kind, line: string): Note {
  const { at, shardId, event, why, position, given, stored } = JSON.parse(line)
  const records = given?.map(([key, id, sequenceNumber, subSequenceNumber]: [string, string, string, number]) => {
    return { key, id: Number(id), position: [sequenceNumber, subSequenceNumber] }
  })
  return {
    atMs: Number(at) / 1e6,
    worker,
    kind,
    shardId,
    event,
    why: why ?? undefined,
    position,
    given: records,
    stored
  }
}
