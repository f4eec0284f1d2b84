// The bucket that dead letters are written to and read from: its name, the client, and calls with a deadline.
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { peerPackage } from '../model/peer-package.ts'
import { checkName, checkNumber } from './option-rules.ts'
import load, { type Package } from './s3-package.cts'
import { type CallPorts, callService } from './service-call.ts'

/** The client of the AWS SDK for S3. */
export const s3 = peerPackage<Package>('millrace/dead-letters/s3', '@aws-sdk/client-s3', load)

/** Which bucket, and through which client. */
export interface S3BucketOptions {
  /** Name of the bucket. */
  readonly bucket: string
  /** A client of the AWS SDK to use as it is, or what to configure one with. Default: what the environment says. */
  readonly client?: S3Client | S3ClientConfig
  /** How long one call may take. Milliseconds, 100 to 3,600,000; default 30,000. */
  readonly requestTimeoutMs?: number
}

/** The names of the options that say which bucket. */
export const BUCKET_OPTIONS: readonly string[] = ['bucket', 'client', 'requestTimeoutMs']

/** A bucket to call. */
export class S3Bucket {
  readonly name: string
  readonly #client: S3Client
  readonly #isOurs: boolean
  readonly #timeoutMs: number
  readonly #ports: CallPorts

  /** @throws OptionError if an option is missing or out of its range. */
  constructor({ bucket, client, requestTimeoutMs }: S3BucketOptions, ports: CallPorts) {
    this.name = checkName('bucket', bucket, 'the name of an S3 bucket')
    const range = { min: 100, max: 3_600_000, byDefault: 30_000 }
    this.#timeoutMs = checkNumber('requestTimeoutMs', requestTimeoutMs, range)
    this.#isOurs = !isS3Client(client)
    this.#client = isS3Client(client) ? client : new s3.S3Client({ maxAttempts: 1, ...client })
    this.#ports = ports
  }

  /** One call: `send` is given the client and what to send with. */
  call<T>(
    name: string,
    signal: AbortSignal,
    send: (client: S3Client, sending: { abortSignal: AbortSignal }) => Promise<T>
  ): Promise<T> {
    const about = `${name} to bucket ${this.name}`
    const call = { about, clock: this.#ports.clock, timeoutMs: this.#timeoutMs, signal }
    return callService(call, sending => send(this.#client, sending))
  }

  /** Lets connections go, if the client is ours. */
  close(): void {
    if (this.#isOurs) this.#client.destroy()
  }
}

function isS3Client(given: S3Client | S3ClientConfig | undefined): given is S3Client {
  return given !== undefined && 'send' in given && typeof given.send === 'function'
}
