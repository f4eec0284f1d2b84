import { expect } from 'chai'
import { encodeRecords, type SdkStreamRecord } from '../../src/dynamodb-streams/record-rules.ts'

const RECORD: SdkStreamRecord = {
  eventID: 'e1',
  eventName: 'MODIFY',
  eventSource: 'aws:dynamodb',
  dynamodb: {
    ApproximateCreationDateTime: new Date(1_700_000_000_000),
    Keys: { id: { S: 'ä' } },
    NewImage: { id: { S: 'ä' }, n: { N: '1.10' }, b: { B: Uint8Array.of(1, 2) } },
    SequenceNumber: '111',
    SizeBytes: 9,
    StreamViewType: 'NEW_IMAGE'
  },
  userIdentity: undefined
}

describe('encodeRecords', () => {
  it('makes each record the JSON of the service, under the key of its item', () => {
    const { records, bytes } = encodeRecords([RECORD])
    const [record] = records
    expect(record).to.include({
      sequenceNumber: '111',
      partitionKey: '{"id":{"S":"ä"}}',
      arrivedAtMs: 1_700_000_000_000
    })
    expect(record?.data.length).to.equal(bytes)
    expect(JSON.parse(new TextDecoder().decode(record?.data))).to.deep.equal({
      eventID: 'e1',
      eventName: 'MODIFY',
      eventSource: 'aws:dynamodb',
      dynamodb: {
        ApproximateCreationDateTime: 1_700_000_000,
        Keys: { id: { S: 'ä' } },
        NewImage: { id: { S: 'ä' }, n: { N: '1.10' }, b: { B: 'AQI=' } },
        SequenceNumber: '111',
        SizeBytes: 9,
        StreamViewType: 'NEW_IMAGE'
      }
    })
  })

  it('puts the payloads of an answer into one piece of memory with nothing else in it', () => {
    const { records, bytes } = encodeRecords([RECORD, RECORD, RECORD])
    const buffers = new Set(records.map(({ data }) => data.buffer))
    expect(buffers.size).to.equal(1)
    expect([...buffers][0]?.byteLength).to.equal(bytes)
    expect(records.reduce((sum, { data }) => sum + data.length, 0)).to.equal(bytes)
  })

  it('never looks like an aggregate of the KPL', () => {
    expect(encodeRecords([RECORD]).records[0]?.data[0]).to.equal('{'.charCodeAt(0))
    expect(encodeRecords([])).to.deep.equal({ records: [], bytes: 0 })
  })
})
