// PutRecords behind HTTP, for the real client of the SDK: what was put, and faults as tests want them.
import { type ScriptedAnswer, ScriptedServer } from '../kinesis/scripted-server.ts'

/** A record as it was put. */
export interface PutRecord {
  readonly PartitionKey: string
  readonly ExplicitHashKey?: string
  readonly data: Buffer
}

/** A stream that takes records. */
export class FakePutRecords {
  readonly server = new ScriptedServer()
  readonly records: PutRecord[] = []
  /** How many records each call had. */
  readonly calls: number[] = []
  /** Answers a call in place of the stream, if it answers. */
  fault: (records: readonly PutRecord[]) => ScriptedAnswer | undefined = () => undefined
  /** Refuses a record, with this code. */
  refuse: (data: Buffer) => string | undefined = () => undefined

  constructor() {
    this.server.answer = ({ body }) => {
      const input = JSON.parse(String(body)) as { Records: (Omit<PutRecord, 'data'> & { Data: string })[] }
      const records = input.Records.map(({ Data, ...keys }) => ({ ...keys, data: Buffer.from(Data, 'base64') }))
      this.calls.push(records.length)
      const fault = this.fault(records)
      if (fault !== undefined) return fault
      const outcomes = records.map(record => {
        const ErrorCode = this.refuse(record.data)
        if (ErrorCode !== undefined) return { ErrorCode, ErrorMessage: 'words of the service' }
        this.records.push(record)
        return { SequenceNumber: String(this.records.length), ShardId: 'shardId-000000000000' }
      })
      return { body: JSON.stringify({ FailedRecordCount: 0, Records: outcomes }) }
    }
  }

  /** What the client is configured with. */
  get client() {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    return { region: 'us-east-1', endpoint: this.server.endpoint, credentials }
  }
}
