import { expect } from 'chai'
import { startingPosition, streamNameOf } from '../../src/kinesis/sdk-parameters.ts'

describe('startingPosition', () => {
  it('says where to begin as the service does', () => {
    expect(
      [
        { type: 'LATEST' } as const,
        { type: 'AT_TIMESTAMP', timestampMs: 5_000 } as const,
        { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: '7' } as const
      ].map(startingPosition)
    ).to.deep.equal([
      { Type: 'LATEST' },
      { Type: 'AT_TIMESTAMP', Timestamp: new Date(5_000) },
      { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '7' }
    ])
  })
})

describe('streamNameOf', () => {
  it('is the name, be it given or at the end of an ARN', () => {
    const streamArn = 'arn:aws:kinesis:eu-west-3:123456789012:stream/orders'
    expect([{ streamName: 'orders' }, { streamArn }].map(streamNameOf)).to.deep.equal(['orders', 'orders'])
  })
})
