// What a dead letter is as a message of SQS.
import { createHash } from 'node:crypto'
import { ServiceError } from '../model/errors.ts'
import type { DeadLetter } from '../processor/dead-letter.ts'
import { encodeDeadLetter } from './letter-codec.ts'

/** A message to send. */
export interface LetterMessage {
  readonly bytes: number
  readonly body: string
  /** For a FIFO queue only: messages of one group are received in the order in which they were sent. */
  readonly groupId?: string
  /** For a FIFO queue only: what has been sent before, within five minutes, is not sent again. */
  readonly deduplicationId?: string
}

/** How letters become messages. */
export interface MessageRules {
  readonly queueUrl: string
  /** Bytes. */
  readonly maxMessageBytes: number
  /** What is kept in order in a FIFO queue. */
  readonly groupBy: 'partitionKey' | 'shard'
}

/** What SQS takes as the id of a group as it is: up to 128 printable characters of ASCII. */
const GROUP_ID = /^[!-~]{1,128}$/

/**
 * The message with this letter.
 *
 * @throws ServiceError `invalid-argument` if it is larger than a message may be.
 */
export function messageOfLetter(
  letter: DeadLetter,
  { queueUrl, maxMessageBytes, groupBy }: MessageRules
): LetterMessage {
  const body = encodeDeadLetter(letter)
  const bytes = Buffer.byteLength(body)
  if (bytes > maxMessageBytes) {
    const which = `The dead letter of ${letter.sequenceNumber}#${letter.subSequenceNumber} of ${letter.shardId}`
    throw new ServiceError(
      'invalid-argument',
      `${which} has ${bytes} bytes, and a message of ${queueUrl} at most ${maxMessageBytes}: store dead letters in S3 (millrace/dead-letters/s3), which takes any size`,
      { retryable: false }
    )
  }
  if (!isFifo(queueUrl)) return { bytes, body }
  const { applicationName, stream, shardId, partitionKey, sequenceNumber, subSequenceNumber } = letter
  const group = groupBy === 'shard' ? shardId : partitionKey
  return {
    ...{ bytes, body, groupId: GROUP_ID.test(group) ? group : digestOf([group]) },
    deduplicationId: digestOf([applicationName, stream, shardId, sequenceNumber, String(subSequenceNumber)])
  }
}

/** Whether messages of the queue need a group. SQS has the names of such queues end so, and of no others. */
export function isFifo(queueUrl: string): boolean {
  return queueUrl.endsWith('.fifo')
}

/** The region that the URL of a queue is of, if it says so. */
export function regionOfQueue(queueUrl: string): string | undefined {
  return /^https?:\/\/sqs(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws|api\.aws)/.exec(queueUrl)?.[1]
}

function digestOf(texts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 32)
}
