// The date that the answer to one command of the AWS SDK carries, which the SDK keeps to itself.
import type { DescribeStreamSummaryCommand } from '@aws-sdk/client-kinesis'

/** What the service's clock said. Absent: the answer did not say it. */
export interface AnswerDate {
  /** Epoch milliseconds, rounded down to a second. */
  readonly serviceTimeMs?: number
}

/**
 * Keeps the date of the answer to this one command, of whichever client: that may be the user's, and stays as it is. To be called
 * before the command is sent; what it returns says the date once it is answered.
 */
export function keepDate(command: { readonly middlewareStack: unknown }): () => AnswerDate {
  let serviceTimeMs = Number.NaN
  // It looks at the response alone, which is the same for every command.
  const stack = command.middlewareStack as DescribeStreamSummaryCommand['middlewareStack']
  stack.add(
    next => async args => {
      const result = await next(args)
      const { headers } = Object(result.response) as { headers?: Record<string, string> }
      serviceTimeMs = Date.parse(headers?.date ?? '')
      return result
    },
    { step: 'deserialize', name: 'keepDate', override: true }
  )
  return () => (Number.isNaN(serviceTimeMs) ? {} : { serviceTimeMs })
}
