// What goes wrong with a call to DynamoDB Streams, in our words: what only streams have, and everything else as for tables.
import { dynamoError } from '../dynamo/dynamo-errors.ts'
import { type ConsumerError, ServiceError } from '../model/errors.ts'

/** Which call failed. */
export interface FailedCall {
  /** The API's name of it, such as `GetRecords`. */
  readonly name: string
  readonly tableName: string
  readonly shardId?: string | undefined
}

/** The call, in words. */
export function callText({ name, tableName, shardId }: FailedCall): string {
  const of = `the stream of table ${tableName}`
  return shardId === undefined ? `${name} of ${of}` : `${name} of ${shardId} in ${of}`
}

/** Whether the records that were asked for are older than the service keeps them. */
export function isTrimmed(error: unknown): boolean {
  return nameOf(error) === 'TrimmedDataAccessException'
}

/** The error for a failed call. Errors of ours stay as they are. */
export function streamsError(error: unknown, call: FailedCall): ConsumerError {
  const because = error instanceof Error ? ` (${error.name}: ${error.message})` : ''
  const failed = (kind: 'expired-iterator' | 'not-found', what: string): ServiceError =>
    new ServiceError(kind, `${callText(call)}: ${what}${because}`, { retryable: false, cause: error })
  switch (nameOf(error)) {
    case 'ExpiredIteratorException':
      return failed('expired-iterator', 'the shard iterator is more than 15 minutes old; get a new one')
    case 'TrimmedDataAccessException':
      // Nothing is there any more at the iterator: one that was opened where something is, is of use.
      return failed('expired-iterator', 'the records at the shard iterator are gone: they were more than 24 hours old')
    case 'ResourceNotFoundException':
      return failed(
        'not-found',
        `there is no such ${call.shardId === undefined ? 'stream' : 'shard or stream'} (any more)`
      )
    default:
      return dynamoError(error, callText(call))
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}
