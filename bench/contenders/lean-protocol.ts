// The AWS SDK with another decoder for GetRecords: what can be had by replacing one method of its protocol. Everything else,
// signing, retries, endpoints, stays the SDK's.
import { AwsJson1_1Protocol } from '@aws-sdk/core/protocols'

type Parameters_ = Parameters<AwsJson1_1Protocol['deserializeResponse']>

interface RawAnswer {
  readonly Records?: readonly { Data: string; ApproximateArrivalTimestamp: number }[]
}

/** JSON-RPC as the SDK speaks it, but GetRecords is decoded by JSON.parse and Buffer.from alone. */
export class LeanProtocol extends AwsJson1_1Protocol {
  // biome-ignore lint/suspicious/noExplicitAny: the type of the answer is the caller's
  override async deserializeResponse(...[schema, context, response]: Parameters_): Promise<any> {
    if (schema.name !== 'GetRecords' || response.statusCode >= 300) {
      return super.deserializeResponse(schema, context, response)
    }
    const chunks: Buffer[] = []
    for await (const chunk of response.body) chunks.push(chunk)
    const answer = JSON.parse(Buffer.concat(chunks).toString()) as RawAnswer
    const Records = (answer.Records ?? []).map(record => ({
      ...record,
      Data: Buffer.from(record.Data, 'base64'),
      ApproximateArrivalTimestamp: new Date(record.ApproximateArrivalTimestamp * 1000)
    }))
    return { ...answer, Records, $metadata: { httpStatusCode: response.statusCode } }
  }
}
