import { expect } from 'chai'
import { RequestMeter } from '../../src/metrics/request-meter.ts'

describe('RequestMeter', () => {
  it('counts requests by service and call, until they are taken', () => {
    const meter = new RequestMeter()
    meter.note({ service: 'kinesis', operation: 'GetRecords', durationMs: 12 })
    meter.note({ service: 'kinesis', operation: 'GetRecords', outcome: 'failed' })
    meter.note({ service: 'kinesis', operation: 'GetRecords', outcome: 'throttled' })
    meter.note({ service: 'dynamodb', operation: 'GetItem', requests: 2, readUnits: 0.5 })
    meter.note({ service: 'dynamodb', operation: 'GetItem', writeUnits: 3 })
    const none = { failed: 0, throttled: 0, readUnits: 0, writeUnits: 0 }
    expect(meter.take()).to.deep.equal([
      { service: 'kinesis', operation: 'GetRecords', ...none, requests: 3, failed: 2, throttled: 1, durationsMs: [12] },
      {
        service: 'dynamodb',
        operation: 'GetItem',
        ...none,
        requests: 3,
        readUnits: 0.5,
        writeUnits: 3,
        durationsMs: []
      }
    ])
    expect(meter.take()).to.deep.equal([])
  })

  it('follows what is counted elsewhere', () => {
    const meter = new RequestMeter()
    let beats = 3
    meter.follow({ service: 'dynamodb', operation: 'UpdateItem', writeUnits: 1 }, () => beats)
    const taken = (): (readonly [number, number])[] =>
      meter.take().map(({ requests, writeUnits }) => [requests, writeUnits] as const)
    expect(taken()).to.deep.equal([[3, 3]])
    expect(taken()).to.deep.equal([])
    beats = 7
    expect(taken()).to.deep.equal([[4, 4]])
  })

  it('does not grow without end if nobody takes the counts', () => {
    const meter = new RequestMeter()
    for (let i = 0; i < 30_000; i++) meter.note({ service: 'kinesis', operation: 'GetRecords', durationMs: 1 })
    const [{ requests, durationsMs } = { requests: 0, durationsMs: [] }] = meter.take()
    expect([requests, durationsMs.length]).to.deep.equal([30_000, 10_000])
  })
})
