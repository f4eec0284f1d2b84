// Dead letters read from the objects of an S3 bucket, as s3DeadLetters writes them.
import type { S3Client } from '@aws-sdk/client-s3'
import { ServiceError } from '../model/errors.ts'
import { checkOptions } from '../model/option-rules.ts'
import { retry } from '../runtime/retry.ts'
import { type Line, linesOf } from './letter-lines.ts'
import { type DeadLetterSource, type FoundLetter, foundIn } from './letter-source.ts'
import { checkName } from './option-rules.ts'
import { BUCKET_OPTIONS, S3Bucket, type S3BucketOptions, s3 } from './s3-bucket.ts'
import { OBJECT_SUFFIX } from './s3-key-rules.ts'
import { CALL_RETRIES, type CallPorts, SYSTEM_PORTS } from './service-call.ts'

/** Options of {@link readS3DeadLetters}. */
export interface S3LettersOptions extends S3BucketOptions {
  /** What the keys begin with: the prefix that letters were written with, or more, as `prefix/application/stream/`. Default: all. */
  readonly prefix?: string
  /** Whether an object is deleted once all of its letters are done with. Default: false. */
  readonly deleteWhenDone?: boolean
}

/**
 * The letters in a bucket, in the order of the keys. Objects stay, unless `deleteWhenDone`; one with a letter that was kept always
 * does, and the others in it are found again the next time.
 *
 * @throws OptionError if an option is missing or out of its range.
 */
export function readS3DeadLetters(options: S3LettersOptions, ports: CallPorts = SYSTEM_PORTS): DeadLetterSource {
  checkOptions(options, [...BUCKET_OPTIONS, 'prefix', 'deleteWhenDone'])
  const { prefix = '', deleteWhenDone = false } = options
  if (prefix !== '') checkName('prefix', prefix, 'a text')
  // To have it checked now; each reading has connections of its own.
  const bucket = new S3Bucket(options, ports)
  bucket.close()
  return {
    name: `s3://${bucket.name}/${prefix}`,
    letters: ({ signal }) => new Reading(new S3Bucket(options, ports), ports, { prefix, deleteWhenDone, signal }).find()
  }
}

interface ReadingOptions {
  readonly prefix: string
  readonly deleteWhenDone: boolean
  readonly signal: AbortSignal
}

class Reading {
  readonly #bucket: S3Bucket
  readonly #ports: CallPorts
  readonly #options: ReadingOptions

  constructor(bucket: S3Bucket, ports: CallPorts, options: ReadingOptions) {
    this.#bucket = bucket
    this.#ports = ports
    this.#options = options
  }

  async *find(): AsyncGenerator<FoundLetter, void, undefined> {
    const { signal } = this.#options
    try {
      for await (const key of this.#keys()) yield* this.#lettersOf(key)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#bucket.close()
    }
  }

  async *#keys(): AsyncGenerator<string, void, undefined> {
    const { prefix, signal } = this.#options
    let token: string | undefined
    do {
      const page = new s3.ListObjectsV2Command({
        ...{ Bucket: this.#bucket.name, Prefix: prefix },
        ...(token !== undefined && { ContinuationToken: token })
      })
      const answer = await this.#call('ListObjectsV2', signal, (client, sending) => client.send(page, sending))
      for (const { Key: key = '' } of answer.Contents ?? []) if (key.endsWith(OBJECT_SUFFIX)) yield key
      token = answer.NextContinuationToken
    } while (token !== undefined)
  }

  async *#lettersOf(key: string): AsyncGenerator<FoundLetter, void, undefined> {
    const lines: Line[] = []
    for await (const line of linesOf(await this.#read(key))) lines.push(line)
    let open = lines.length
    let isKept = !this.#options.deleteWhenDone
    const settle = async (isDone: boolean): Promise<void> => {
      open -= 1
      isKept ||= !isDone
      if (open === 0 && !isKept) await this.#delete(key)
    }
    for (const { number, bytes } of lines) {
      if (this.#options.signal.aborted) return
      yield foundIn(bytes ?? '', `line ${number} of s3://${this.#bucket.name}/${key}`, settle)
    }
  }

  /** The bytes of an object, in one piece; in none, if it has been deleted meanwhile. */
  async #read(key: string): Promise<Uint8Array[]> {
    const command = new s3.GetObjectCommand({ Bucket: this.#bucket.name, Key: key })
    try {
      const bytes = await this.#call('GetObject', this.#options.signal, async (client, sending) => {
        const answer = await client.send(command, sending)
        return await answer.Body?.transformToByteArray()
      })
      return bytes === undefined ? [] : [bytes]
    } catch (error) {
      if (error instanceof ServiceError && error.kind === 'not-found') return []
      throw error
    }
  }

  async #delete(key: string): Promise<void> {
    const command = new s3.DeleteObjectCommand({ Bucket: this.#bucket.name, Key: key })
    const never = new AbortController().signal
    await this.#call('DeleteObject', never, (client, sending) => client.send(command, sending))
  }

  #call<T>(
    name: string,
    signal: AbortSignal,
    send: (client: S3Client, sending: { abortSignal: AbortSignal }) => Promise<T>
  ): Promise<T> {
    return retry(() => this.#bucket.call(name, signal, send), CALL_RETRIES, { ...this.#ports, signal })
  }
}
