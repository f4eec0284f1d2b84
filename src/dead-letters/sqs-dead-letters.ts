// Dead letters as messages of an SQS queue. The entry point "millrace/dead-letters/sqs".
import type { BatchResultErrorEntry } from '@aws-sdk/client-sqs'
import { OptionError, ServiceError } from '../model/errors.ts'
import { checkOptions, shown } from '../model/option-rules.ts'
import type { DeadLetter, DeadLetterDestination, StoreOptions } from '../processor/dead-letter.ts'
import { checkNumber } from './option-rules.ts'
import { type Refused, storeAll } from './send-all.ts'
import { type CallPorts, SYSTEM_PORTS } from './service-call.ts'
import { type LetterMessage, type MessageRules, messageOfLetter } from './sqs-message-rules.ts'
import { QUEUE_OPTIONS, SqsQueue, type SqsQueueOptions, sqs } from './sqs-queue.ts'

export { readSqsDeadLetters, type SqsLettersOptions } from './sqs-letter-source.ts'
export type { SqsQueueOptions } from './sqs-queue.ts'

/** Options of {@link sqsDeadLetters}. */
export interface SqsDeadLettersOptions extends SqsQueueOptions {
  /**
   * The largest message that the queue takes, its attribute `MaximumMessageSize`. Bytes, 1,024 to 1,048,576; default 1,048,576, which
   * queues have that nobody configured otherwise. Older ones often have 262,144.
   */
  readonly maxMessageBytes?: number
  /**
   * In a FIFO queue: whether letters of one partition key are received in order, or letters of one shard. The second lets only one
   * letter of a shard be handled at a time. Default `partitionKey`.
   */
  readonly groupBy?: 'partitionKey' | 'shard'
}

/** A call with all of these is never too large, whatever the queue is configured to take. A larger message goes alone. */
const MAX_BATCH_BYTES = 262_144
const MAX_BATCH_COUNT = 10

/**
 * A destination that sends each letter as a message: the line of JSON as its body. Messages that the queue refuses are sent again,
 * the others of the call are not. A FIFO queue drops what it was sent before, within five minutes.
 *
 * @throws OptionError if an option is missing or out of its range.
 */
export function sqsDeadLetters(options: SqsDeadLettersOptions, ports: CallPorts = SYSTEM_PORTS): DeadLetterDestination {
  checkOptions(options, [...QUEUE_OPTIONS, 'maxMessageBytes', 'groupBy'])
  const { maxMessageBytes: given, groupBy = 'partitionKey' } = options
  const range = { min: 1_024, max: 1_048_576, byDefault: 1_048_576 }
  const maxMessageBytes = checkNumber('maxMessageBytes', given, range)
  if (groupBy !== 'partitionKey' && groupBy !== 'shard') {
    throw new OptionError('groupBy', `is ${shown(groupBy)}, expected 'partitionKey' or 'shard'`)
  }
  const queue = new SqsQueue(options, ports)
  return new SqsDeadLetters(queue, { queueUrl: queue.url, maxMessageBytes, groupBy }, ports)
}

class SqsDeadLetters implements DeadLetterDestination {
  readonly name: string
  readonly #queue: SqsQueue
  readonly #rules: MessageRules
  readonly #ports: CallPorts

  constructor(queue: SqsQueue, rules: MessageRules, ports: CallPorts) {
    this.name = `sqs ${queue.url}`
    this.#queue = queue
    this.#rules = rules
    this.#ports = ports
  }

  async store(letters: readonly DeadLetter[], { signal }: StoreOptions): Promise<void> {
    const messages = letters.map(letter => messageOfLetter(letter, this.#rules))
    const maxBytes = Math.min(MAX_BATCH_BYTES, this.#rules.maxMessageBytes)
    await storeAll(messages, {
      ...{ ...this.#ports, limits: { maxCount: MAX_BATCH_COUNT, maxBytes }, signal },
      send: batch => this.#send(batch, signal)
    })
  }

  async close(): Promise<void> {
    this.#queue.close()
  }

  async #send(batch: readonly LetterMessage[], signal: AbortSignal): Promise<Refused<LetterMessage>[]> {
    const command = new sqs.SendMessageBatchCommand({
      QueueUrl: this.#queue.url,
      Entries: batch.map(({ body, groupId, deduplicationId }, n) => ({
        ...{ Id: String(n), MessageBody: body },
        ...(groupId !== undefined && { MessageGroupId: groupId }),
        ...(deduplicationId !== undefined && { MessageDeduplicationId: deduplicationId })
      }))
    })
    const answer = await this.#queue.call('SendMessageBatch', signal, (client, sending) =>
      client.send(command, sending)
    )
    const sent = new Set(answer.Successful?.map(({ Id }) => Id))
    const failed = new Map(answer.Failed?.map(failure => [failure.Id, failure]))
    return batch.flatMap((entry, n) => {
      const id = String(n)
      return sent.has(id) ? [] : [{ entry, error: this.#refusal(failed.get(id)) }]
    })
  }

  /** What SQS says of one message of many. One that it says nothing of may not be there: as if the fault were its own. */
  #refusal(failure: BatchResultErrorEntry | undefined): ServiceError {
    const { Code = 'the answer says nothing of the message', Message = '', SenderFault = false } = failure ?? {}
    const kind = SenderFault ? 'invalid-argument' : 'other'
    const said = Message === '' ? Code : `${Code}: ${Message}`
    return new ServiceError(kind, `SendMessageBatch to ${this.#queue.url}: ${said}`, { retryable: !SenderFault })
  }
}
