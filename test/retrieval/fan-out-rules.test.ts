import { expect } from 'chai'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import {
  added,
  endIn,
  expectedBytes,
  isFanOutFailing,
  isStartRefused,
  largestLately,
  movedBack,
  newerThan,
  positionAfter,
  renewAfterMs,
  resubscribeDelayMs,
  retryFanOutInMs,
  startAfter,
  without
} from '../../src/retrieval/fan-out-rules.ts'
import type { ReadStart } from '../../src/retrieval/read-rules.ts'

const KIB = 1024
const record = (sequenceNumber: string) => ({ sequenceNumber, partitionKey: 'key', data: new Uint8Array(1) })
const event = (numbers: readonly string[], continuationSequenceNumber?: string) => ({
  records: numbers.map(record),
  millisBehindLatest: 0,
  ...(continuationSequenceNumber !== undefined && { continuationSequenceNumber })
})
const serviceError = (kind: ServiceError['kind'], retryable = false): ServiceError =>
  new ServiceError(kind, 'it failed', { retryable })

describe('the rules of fan-out', () => {
  describe('positionAfter', () => {
    const at = (sequenceNumber: string): ReadStart => ({ type: 'AT_SEQUENCE_NUMBER', sequenceNumber })
    for (const [what, before, came, expected] of [
      ['records and their continuation', at('5'), event(['5', '6'], '6'), startAfter('6')],
      ['a continuation past the last record', at('5'), event(['5'], '9'), startAfter('9')],
      ['a continuation before the last record', at('5'), event(['5', '10'], '9'), startAfter('10')],
      ['the last records of a shard', at('5'), event(['7']), startAfter('7')],
      ['an empty event that is past the start', at('5'), event([], '12'), startAfter('12')],
      ['an empty event at the checkpointed record', at('5'), event([], '5'), at('5')],
      ['an empty event before it', at('12'), event([], '5'), at('12')],
      ['an empty event after TRIM_HORIZON', { type: 'TRIM_HORIZON' }, event([], '5'), startAfter('5')],
      ['an empty event after a time', { type: 'AT_TIMESTAMP', timestampMs: 7 }, event([], '5'), startAfter('5')],
      ['an end without records', at('5'), event([]), at('5')]
    ] as const) {
      it(`goes on rightly after ${what}`, () => {
        expect(positionAfter(before, came)).to.deep.equal(expected)
      })
    }
  })

  it('believe an end with children, or one that is said twice with nothing new in between', () => {
    const child = { shardId: 'shardId-1', parentShardIds: [], hashKeyRange: { start: 0n, end: 1n } }
    const last = event(['5'])
    expect(endIn(event(['5'], '5'), 1, true)).to.equal('none')
    expect(endIn(event([], '5'), 0, true)).to.equal('none')
    expect(endIn({ ...last, childShards: [child] }, 1, false)).to.equal('certain')
    expect(endIn(last, 1, false)).to.equal('said')
    expect(endIn({ ...last, childShards: [] }, 1, false)).to.equal('said')
    expect(endIn(event([]), 0, false)).to.equal('said')
    expect(endIn(last, 1, true), 'it was none when it was said first').to.equal('said')
    expect(endIn(last, 0, true), 'the same records again').to.equal('certain')
  })

  it('count what was read, never below nothing', () => {
    expect(added({ records: 1, bytes: 10 }, { records: 2, bytes: 5 })).to.deep.equal({ records: 3, bytes: 15 })
    expect(without({ records: 3, bytes: 15 }, { records: 2, bytes: 20 })).to.deep.equal({ records: 1, bytes: 0 })
  })

  it('take records for new by their numbers, and copy nothing where all are', () => {
    const records = [record('9'), record('10'), record('11')]
    expect(newerThan(undefined, records)).to.equal(records)
    expect(newerThan('8', records)).to.equal(records)
    expect(newerThan('10', records).map(({ sequenceNumber }) => sequenceNumber)).to.deep.equal(['11'])
    expect(newerThan('11', records)).to.deep.equal([])
    expect(newerThan('11', [])).to.deep.equal([])
  })

  it('move back only a time', () => {
    expect(movedBack({ type: 'AT_TIMESTAMP', timestampMs: 5_000 }, 2_000)).to.have.property('timestampMs', 3_000)
    expect(movedBack({ type: 'AT_TIMESTAMP', timestampMs: 5_000 }, 9_000)).to.have.property('timestampMs', 0)
    expect(movedBack(startAfter('5'), 9_000)).to.deep.equal(startAfter('5'))
  })

  it('expect the next event to be as large as the largest lately, within the share of the shard', () => {
    expect(expectedBytes(undefined, 32 * KIB * KIB)).to.equal(256 * KIB)
    expect(expectedBytes(undefined, 10 * KIB)).to.equal(10 * KIB)
    expect(expectedBytes(1, 32 * KIB * KIB)).to.equal(16 * KIB)
    let lately = largestLately(undefined, 1_000_000)
    for (let empty = 0; empty < 3; empty++) lately = largestLately(lately, 0)
    expect(lately).to.equal(125_000)
    expect(largestLately(lately, 200_000)).to.equal(200_000)
  })

  it('wait five seconds where somebody else has subscribed, and otherwise as long as nothing comes', () => {
    expect(resubscribeDelayMs(serviceError('in-use', true), 1, 60_000, 0)).to.equal(5_100)
    expect(resubscribeDelayMs(serviceError('in-use', true), 9, 60_000, 1)).to.equal(6_100)
    expect(resubscribeDelayMs(new ThrottledError('slow down'), 1, 60_000, 1)).to.equal(500)
    expect(resubscribeDelayMs(serviceError('timeout', true), 20, 60_000, 1)).to.equal(15_000)
    expect(resubscribeDelayMs(serviceError('timeout', true), 1, 1_000, 1)).to.equal(4_100)
    expect(resubscribeDelayMs(serviceError('timeout', true), 1, Number.POSITIVE_INFINITY, 0)).to.equal(250)
  })

  it('have a subscription give way before the service ends it', () => {
    expect(renewAfterMs(0)).to.equal(270_000)
    expect(renewAfterMs(0.999)).to.be.lessThan(290_000)
  })

  it('give fan-out up after three failures that do not pass, or after a minute in which nothing works', () => {
    expect(isFanOutFailing({ failures: 2, hopeless: 2, forMs: 1_000 })).to.equal(false)
    expect(isFanOutFailing({ failures: 3, hopeless: 3, forMs: 1_000 })).to.equal(true)
    expect(isFanOutFailing({ failures: 9, hopeless: 0, forMs: 59_000 })).to.equal(false)
    expect(isFanOutFailing({ failures: 2, hopeless: 0, forMs: 60_000 })).to.equal(true)
    expect(isFanOutFailing({ failures: 1, hopeless: 0, forMs: 600_000 })).to.equal(false)
  })

  it('know a start that was refused: SubscribeToShard never says that an iterator has expired', () => {
    expect(isStartRefused(serviceError('invalid-argument'))).to.equal(true)
    expect(isStartRefused(serviceError('expired-iterator'))).to.equal(false)
    expect(isStartRefused(serviceError('not-found'))).to.equal(false)
    expect(isStartRefused(new Error('bug'))).to.equal(false)
  })

  it('try fan-out again after minutes, and after an hour at most', () => {
    expect(retryFanOutInMs(1, 0)).to.equal(150_000)
    expect(retryFanOutInMs(2, 1)).to.equal(600_000)
    expect(retryFanOutInMs(50, 1)).to.equal(3_600_000)
  })
})
