// Dead letters received from an SQS queue. A message is deleted once its letter is done with; the others can be received by
// anybody again in the end.
import type { Message } from '@aws-sdk/client-sqs'
import { checkOptions } from '../model/option-rules.ts'
import { type Deferred, deferred } from '../runtime/deferred.ts'
import { retry } from '../runtime/retry.ts'
import { type DeadLetterSource, type FoundLetter, foundIn } from './letter-source.ts'
import { checkNumber } from './option-rules.ts'
import { CALL_RETRIES, type CallPorts, SYSTEM_PORTS } from './service-call.ts'
import { QUEUE_OPTIONS, SqsQueue, type SqsQueueOptions, sqs } from './sqs-queue.ts'

/** Options of {@link readSqsDeadLetters}. */
export interface SqsLettersOptions extends SqsQueueOptions {
  /**
   * For how long nobody else receives a message that was received here. Longer than letters take, the slowest and those that are
   * handled beside it; or they are received, and may be handled, again. Milliseconds, 1,000 to 43,200,000; default 300,000.
   */
  readonly visibilityTimeoutMs?: number
  /** The queue counts as empty once it has had nothing for so long. Milliseconds, 1,000 to 20,000; default 5,000. */
  readonly waitMs?: number
}

/**
 * The letters in a queue, until it is empty. A message is deleted once its letter is done with. One that was kept stays in the queue,
 * counts as received once more, and can be received again when the reading ends.
 *
 * @throws OptionError if an option is missing or out of its range.
 */
export function readSqsDeadLetters(options: SqsLettersOptions, ports: CallPorts = SYSTEM_PORTS): DeadLetterSource {
  checkOptions(options, [...QUEUE_OPTIONS, 'visibilityTimeoutMs', 'waitMs'])
  const { visibilityTimeoutMs, waitMs } = options
  const invisible = { min: 1_000, max: 43_200_000, byDefault: 300_000 }
  const settings = {
    visibilitySeconds: Math.ceil(checkNumber('visibilityTimeoutMs', visibilityTimeoutMs, invisible) / 1_000),
    waitSeconds: Math.ceil(checkNumber('waitMs', waitMs, { min: 1_000, max: 20_000, byDefault: 5_000 }) / 1_000)
  }
  // To have it checked now; each reading has connections of its own.
  new SqsQueue(options, ports).close()
  return {
    name: `sqs ${options.queueUrl}`,
    letters: ({ signal }) => new Reading(new SqsQueue(options, ports), settings, ports, signal).find()
  }
}

interface Settings {
  readonly visibilitySeconds: number
  readonly waitSeconds: number
}

/** A message that was received. */
interface Received {
  /** The latest: an older one may delete nothing. */
  receipt: string
  isDone: boolean
}

class Reading {
  readonly #queue: SqsQueue
  readonly #settings: Settings
  readonly #ports: CallPorts
  readonly #signal: AbortSignal
  /** By the id of the message. */
  readonly #received = new Map<string, Received>()
  #unsettled = 0
  #allSettled: Deferred = deferred()

  constructor(queue: SqsQueue, settings: Settings, ports: CallPorts, signal: AbortSignal) {
    this.#queue = queue
    this.#settings = settings
    this.#ports = ports
    this.#signal = signal
  }

  async *find(): AsyncGenerator<FoundLetter, void, undefined> {
    try {
      // More messages in a row that were kept before than there are: there is nothing else.
      for (let repeated = 0; repeated <= this.#received.size; ) {
        const messages = await this.#receive()
        if (messages.length === 0) {
          if (this.#unsettled === 0) return
          // The rest of a FIFO group is held back until those before it are deleted.
          await this.#allSettled.promise
          continue
        }
        const fresh = await this.#takeIn(messages)
        repeated = fresh.length === 0 ? repeated + messages.length : 0
        for (const found of fresh) {
          if (this.#signal.aborted) return
          this.#unsettled += 1
          yield found
        }
      }
    } finally {
      await this.#giveBack()
      this.#queue.close()
    }
  }

  async #receive(): Promise<Message[]> {
    const { visibilitySeconds, waitSeconds } = this.#settings
    const command = new sqs.ReceiveMessageCommand({
      QueueUrl: this.#queue.url,
      ...{ MaxNumberOfMessages: 10, WaitTimeSeconds: waitSeconds, VisibilityTimeout: visibilitySeconds }
    })
    const wait = waitSeconds * 1_000
    try {
      const answer = await this.#retry(this.#signal, signal =>
        this.#queue.call('ReceiveMessage', signal, (client, sending) => client.send(command, sending), wait)
      )
      return answer.Messages ?? []
    } catch (error) {
      if (!this.#signal.aborted) throw error
      return []
    }
  }

  /** Notes what was received, and answers with what was not received before. */
  async #takeIn(messages: readonly Message[]): Promise<FoundLetter[]> {
    const fresh: FoundLetter[] = []
    for (const { MessageId: id = '', ReceiptHandle: receipt = '', Body: body = '' } of messages) {
      const known = this.#received.get(id)
      if (known === undefined) {
        this.#received.set(id, { receipt, isDone: false })
        fresh.push(foundIn(body, `message ${id}`, isDone => this.#settle(id, isDone)))
        continue
      }
      known.receipt = receipt
      if (known.isDone) await this.#delete(receipt)
    }
    return fresh
  }

  async #settle(id: string, isDone: boolean): Promise<void> {
    const received = this.#received.get(id)
    try {
      if (!isDone || received === undefined) return
      received.isDone = true
      await this.#delete(received.receipt)
    } finally {
      this.#unsettled -= 1
      if (this.#unsettled === 0) {
        this.#allSettled.resolve()
        this.#allSettled = deferred()
      }
    }
  }

  async #delete(receipt: string): Promise<void> {
    const command = new sqs.DeleteMessageCommand({ QueueUrl: this.#queue.url, ReceiptHandle: receipt })
    await this.#retry(never(), signal =>
      this.#queue.call('DeleteMessage', signal, (client, sending) => client.send(command, sending))
    )
  }

  /** Makes what was kept visible, so that it need not be waited for. */
  async #giveBack(): Promise<void> {
    const receipts = [...this.#received.values()].filter(({ isDone }) => !isDone).map(({ receipt }) => receipt)
    for (let n = 0; n < receipts.length; n += 10) {
      const entries = receipts.slice(n, n + 10).map((receipt, id) => ({
        ...{ Id: String(id), ReceiptHandle: receipt, VisibilityTimeout: 0 }
      }))
      const command = new sqs.ChangeMessageVisibilityBatchCommand({ QueueUrl: this.#queue.url, Entries: entries })
      try {
        await this.#queue.call('ChangeMessageVisibilityBatch', never(), (client, sending) =>
          client.send(command, sending)
        )
      } catch {
        // They become visible by themselves, only later.
        return
      }
    }
  }

  #retry<T>(signal: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return retry(() => call(signal), CALL_RETRIES, { ...this.#ports, signal })
  }
}

/** For what is to be finished, whatever the reader wants. */
function never(): AbortSignal {
  return new AbortController().signal
}
