// Dead letters as objects in an S3 bucket. The entry point "millrace/dead-letters/s3".
import { checkOptions } from '../model/option-rules.ts'
import type { DeadLetter, DeadLetterDestination, StoreOptions } from '../processor/dead-letter.ts'
import { retry } from '../runtime/retry.ts'
import { encodeDeadLetters } from './letter-codec.ts'
import { checkName } from './option-rules.ts'
import { BUCKET_OPTIONS, S3Bucket, type S3BucketOptions, s3 } from './s3-bucket.ts'
import { objectKeyOf } from './s3-key-rules.ts'
import { CALL_RETRIES, type CallPorts, SYSTEM_PORTS } from './service-call.ts'

export type { S3BucketOptions } from './s3-bucket.ts'
export { readS3DeadLetters, type S3LettersOptions } from './s3-letter-source.ts'

/** Options of {@link s3DeadLetters}. */
export interface S3DeadLettersOptions extends S3BucketOptions {
  /** What all keys begin with; a slash follows it. Default: nothing. */
  readonly prefix?: string
}

/**
 * A destination that writes the letters of one call as one object of JSON Lines, with the key
 * `prefix/application/stream/shard/YYYY/MM/DD/position.jsonl`. Letters of the same records overwrite those that are there.
 *
 * @throws OptionError if an option is missing or out of its range.
 */
export function s3DeadLetters(options: S3DeadLettersOptions, ports: CallPorts = SYSTEM_PORTS): DeadLetterDestination {
  checkOptions(options, [...BUCKET_OPTIONS, 'prefix'])
  const { prefix = '' } = options
  if (prefix !== '') checkName('prefix', prefix, 'a text')
  return new S3DeadLetters(new S3Bucket(options, ports), prefix, ports)
}

class S3DeadLetters implements DeadLetterDestination {
  readonly name: string
  readonly #bucket: S3Bucket
  readonly #prefix: string
  readonly #ports: CallPorts

  constructor(bucket: S3Bucket, prefix: string, ports: CallPorts) {
    this.name = `s3://${bucket.name}/${prefix}`
    this.#bucket = bucket
    this.#prefix = prefix
    this.#ports = ports
  }

  async store(letters: readonly DeadLetter[], { signal }: StoreOptions): Promise<void> {
    const [first, ...others] = letters
    if (first === undefined) return
    const object = {
      Bucket: this.#bucket.name,
      Key: objectKeyOf(this.#prefix, [first, ...others]),
      Body: encodeDeadLetters(letters),
      ContentType: 'application/x-ndjson'
    }
    const put = () =>
      this.#bucket.call('PutObject', signal, (client, sending) => client.send(new s3.PutObjectCommand(object), sending))
    await retry(put, CALL_RETRIES, { ...this.#ports, signal })
  }

  async close(): Promise<void> {
    this.#bucket.close()
  }
}
