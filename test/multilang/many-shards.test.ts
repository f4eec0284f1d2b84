// The sample of a processor for several shards, as a process.
import { expect } from 'chai'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { ChildPool } from '../../src/multilang/child-pool.ts'
import type { ChildSeat } from '../../src/multilang/child-seat.ts'
import { encodeAction, encodeInitialize, encodeRecords } from '../../src/multilang/protocol-rules.ts'
import { SystemChildren } from '../../src/multilang/system-children.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { collectingLogger } from '../support/collecting-logger.ts'

const SAMPLE = new URL('../../examples/multilang/many-shards.mjs', import.meta.url).pathname
const NEVER = new AbortController().signal

describe('examples/multilang/many-shards.mjs', () => {
  for (const [shardsPerChild, processes] of [
    [4, 1],
    [1, 2]
  ] as const) {
    it(`serves two shards with ${processes === 1 ? 'one process' : 'two'} if a child may have ${shardsPerChild}`, async () => {
      const logger = collectingLogger()
      const wishes: string[] = []
      let said = ''
      const stderr = {
        write: (text: string): void => {
          said += text
        }
      }
      const pool = new ChildPool({
        ...{ command: [process.execPath, SAMPLE], door: new SystemChildren(1_000), clock: systemClock, logger, stderr },
        ...{ exitTimeoutMs: 5_000, answerTimeoutMs: 10_000, shardsPerChild, partingMs: 1_000 },
        died: ({ because }) => expect.fail(because)
      })
      const ask = (seat: ChildSeat, action: 'initialize' | 'processRecords' | 'shardEnded' | 'leaseLost') => {
        const { shardId, spokenShardId } = seat
        const record = { data: Buffer.from('x'), partitionKey: 'k', sequenceNumber: '1', subSequenceNumber: 0 }
        const records = [{ ...record, arrivedAtMs: 0 }]
        const pieces =
          action === 'initialize'
            ? [encodeInitialize(shardId, TRIM_HORIZON)]
            : action === 'processRecords'
              ? encodeRecords({ records, millisBehindLatest: 0, nowMs: 0 }, spokenShardId)
              : [encodeAction(action, spokenShardId)]
        return seat.ask({
          action,
          pieces,
          wishes: async () => {
            wishes.push(`${action} ${shardId}`)
          }
        })
      }
      const a = await pool.admit('a', NEVER)
      await ask(a, 'initialize')
      const b = await pool.admit('b', NEVER)
      await ask(b, 'initialize')
      expect(new Set([a.pid, b.pid]).size).to.equal(processes)
      await Promise.all([ask(a, 'processRecords'), ask(b, 'processRecords')])
      await Promise.all([ask(a, 'leaseLost'), ask(b, 'shardEnded')])
      expect(wishes.sort()).to.deep.equal(['processRecords a', 'processRecords b', 'shardEnded b'])
      await Promise.all([a.leave(), b.leave()])
      expect(pool.size).to.equal(0)
      expect(said).to.match(/a: 1 records; \d shards in process/)
    })
  }
})
