// The queue that dead letters are sent to and received from: its URL, the client, and calls with a deadline.
import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs'
import { OptionError } from '../model/errors.ts'
import { shown } from '../model/option-rules.ts'
import { peerPackage } from '../model/peer-package.ts'
import { checkName, checkNumber } from './option-rules.ts'
import { type CallPorts, callService } from './service-call.ts'
import { regionOfQueue } from './sqs-message-rules.ts'
import load, { type Package } from './sqs-package.cts'

/** The client of the AWS SDK for SQS. */
export const sqs = peerPackage<Package>('millrace/dead-letters/sqs', '@aws-sdk/client-sqs', load)

/** Which queue, and through which client. */
export interface SqsQueueOptions {
  /** URL of the queue, as `https://sqs.us-east-1.amazonaws.com/123456789012/name`. One that ends with `.fifo` is a FIFO queue. */
  readonly queueUrl: string
  /** A client of the AWS SDK to use as it is, or what to configure one with. Default: what the environment says. */
  readonly client?: SQSClient | SQSClientConfig
  /** How long one call may take. Milliseconds, 100 to 300,000; default 10,000. */
  readonly requestTimeoutMs?: number
}

/** The names of the options that say which queue. */
export const QUEUE_OPTIONS: readonly string[] = ['queueUrl', 'client', 'requestTimeoutMs']

/** A queue to call. */
export class SqsQueue {
  readonly url: string
  readonly #client: SQSClient
  readonly #isOurs: boolean
  readonly #timeoutMs: number
  readonly #ports: CallPorts

  /** @throws OptionError if an option is missing or out of its range. */
  constructor({ queueUrl, client, requestTimeoutMs }: SqsQueueOptions, ports: CallPorts) {
    const expected = 'the URL of an SQS queue'
    this.url = checkName('queueUrl', queueUrl, expected)
    if (!/^https?:\/\/./.test(this.url)) {
      throw new OptionError('queueUrl', `is ${shown(queueUrl)}, expected ${expected}, such as https://sqs.…`)
    }
    const range = { min: 100, max: 300_000, byDefault: 10_000 }
    this.#timeoutMs = checkNumber('requestTimeoutMs', requestTimeoutMs, range)
    this.#isOurs = !isSqsClient(client)
    const region = regionOfQueue(this.url)
    this.#client = isSqsClient(client)
      ? client
      : new sqs.SQSClient({ maxAttempts: 1, ...(region && { region }), ...client })
    this.#ports = ports
  }

  /** One call: `send` is given the client and what to send with. `waitMs`: how much longer than others it may take. */
  call<T>(
    name: string,
    signal: AbortSignal,
    send: (client: SQSClient, sending: { abortSignal: AbortSignal }) => Promise<T>,
    waitMs = 0
  ): Promise<T> {
    const about = `${name} to ${this.url}`
    const call = { about, clock: this.#ports.clock, timeoutMs: this.#timeoutMs + waitMs, signal }
    return callService(call, sending => send(this.#client, sending))
  }

  /** Lets connections go, if the client is ours. */
  close(): void {
    if (this.#isOurs) this.#client.destroy()
  }
}

function isSqsClient(given: SQSClient | SQSClientConfig | undefined): given is SQSClient {
  return given !== undefined && 'send' in given && typeof given.send === 'function'
}
