import { expect } from 'chai'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { FailureBooks } from '../../src/testing/failure-books.ts'
import { GivenUpChecks, type GivenUpRecords } from '../../src/testing/given-up-checks.ts'
import { PutLog, ShardLedger } from '../../src/testing/shard-ledger.ts'
import { aPosition } from '../support/builders.ts'

const SHARD = 'shard'
const W1 = { name: 'w1', isAlive: true, isPaused: false }
const SKIP = Object.fromEntries([['then', 'skip']])

/** A shard with the records 10 to 40, of which a call has named some as `failed`, which is as often as it may. */
function theChecks({ failed = [] as number[] } = {}) {
  const time = { nowMs: 1_000 }
  const ledger = new ShardLedger(new PutLog(), { mayDropOutside: false, isThere: () => true })
  for (const sequenceNumber of ['10', '20', '30', '40']) {
    const record = { sequenceNumber, partitionKey: 'key', data: new Uint8Array(1), arrivedAtMs: 0 }
    ledger.puts.add(record, FULL_HASH_KEY_RANGE)
  }
  ledger.expectAfter(TRIM_HORIZON)
  const books = new FailureBooks()
  const entries = failed.map(number => number / 10 - 1)
  books.failed('w1', SHARD, entries, true, 500)
  const found: string[] = []
  const violated = (_: string, message: string) => found.push(message)
  const checks = new GivenUpChecks({ nowMs: () => time.nowMs, ledgerOf: () => ledger, violated }, books)
  const givingUp = (number: number): void =>
    checks.givingUp(W1, SHARD, [{ position: aPosition(number), attempts: 1, ageMs: 0 }], { attempts: 1 })
  return { time, ledger, found, checks, givingUp }
}

describe('GivenUpChecks', () => {
  it('find a record that has not failed, is settled, or is none', () => {
    const { ledger, found, givingUp } = theChecks({ failed: [10, 20] })
    givingUp(10)
    expect(found).to.deep.equal([])
    ledger.confirm(1, 900)
    for (const number of [20, 30, 35]) givingUp(number)
    expect(found.map(message => message.slice(message.indexOf(', but') + 6))).to.deep.equal([
      'it is settled',
      'no call has failed with it',
      'it was never put into the shard'
    ])
  })

  it('take a record for settled once its letter is stored', () => {
    const { ledger, checks } = theChecks()
    checks.stored(W1, SHARD, [aPosition(10)])
    expect(ledger.open()).to.deep.equal([1, 2, 3])
    expect([ledger.isNeedlessAgain(0), ledger.isDelivered(0)]).to.deep.equal([false, true])
    checks.gaveUp(W1, SHARD, [aPosition(10)], 'dead-letter', {})
    expect(ledger.isNeedlessAgain(0)).to.equal(true)
  })

  it('know when giving up has begun, which is before somebody else took the shard', () => {
    const { time, ledger, checks, givingUp } = theChecks({ failed: [10] })
    givingUp(10)
    ledger.takenOver(1_500)
    time.nowMs = 2_000
    checks.stored(W1, SHARD, [aPosition(10)])
    checks.gaveUp(W1, SHARD, [aPosition(10)], 'dead-letter', {})
    expect(ledger.isNeedlessAgain(0)).to.equal(false)
  })

  it('find that somebody goes on before that', () => {
    const { found, checks } = theChecks()
    checks.gaveUp(W1, SHARD, [aPosition(10)], 'dead-letter', {})
    expect(found).to.have.length(1)
    expect(found[0]).to.include('not stored')
  })

  it('find a record that is skipped without being asked to', () => {
    const { ledger, found, checks } = theChecks()
    checks.gaveUp(W1, SHARD, [aPosition(10)], 'skip', SKIP)
    checks.gaveUp(W1, SHARD, [aPosition(20)], 'skip', { decide: () => 'skip' })
    expect([found, ledger.open()]).to.deep.equal([[], [2, 3]])
    checks.gaveUp(W1, SHARD, [aPosition(30)], 'skip', {})
    expect(found).to.have.length(1)
  })

  it('know which records are meant by the first, the last and how many there are', () => {
    const { ledger, checks } = theChecks({ failed: [10, 40] })
    const skipped = { shardId: SHARD, how: 'skip', first: '10', last: '40' } as const
    const numbers = (given: GivenUpRecords) => checks.givenUpBy(W1, given).map(({ sequenceNumber }) => sequenceNumber)
    expect(numbers({ ...skipped, records: 2 })).to.deep.equal(['10', '40'])
    expect(numbers({ ...skipped, records: 4 })).to.deep.equal(['10', '20', '30', '40'])
    ledger.vouch(1)
    expect(numbers({ ...skipped, records: 3 })).to.deep.equal(['10', '30', '40'])
    checks.stored(W1, SHARD, [aPosition(10), aPosition(20), aPosition(40)])
    expect(numbers({ ...skipped, how: 'dead-letter', records: 3 })).to.deep.equal(['10', '20', '40'])
  })
})
