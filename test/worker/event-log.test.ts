import { expect } from 'chai'
import { ProcessorError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { EventLog } from '../../src/worker/event-log.ts'
import type { WorkerEvents } from '../../src/worker/events.ts'
import { collectingLogger } from '../support/collecting-logger.ts'

const SHARD = { leaseKey: 'shard-1', shardId: 'shard-1', streamName: 'orders' }
const OTHER = { leaseKey: 'shard-2', shardId: 'shard-2', streamName: 'orders' }
const error = new ProcessorError('shard-1', 'processRecords', 1, new Error('broken'))
const FAILED = { error, attempt: 1, retryInMs: 5, action: 'retry' } as const
const DONE = { records: 1, bytes: 1, millisBehindLatest: 0, durationMs: 1 }

function aLog() {
  const logger = collectingLogger()
  const clock = new VirtualClock()
  const log = new EventLog(logger, clock)
  const note = <Name extends keyof WorkerEvents>(name: Name, event: WorkerEvents[Name], isHeard = false): void =>
    log.note({ name, event } as never, isHeard)
  const said = () => logger.lines.map(({ level, fields, message }) => [level, message, fields.unsaid ?? 0])
  return { logger, clock, note, said }
}

describe('EventLog', () => {
  it('says the first of its kind at once, the others once a minute, and how many there were', async () => {
    const { clock, note, said } = aLog()
    for (let second = 0; second < 600; second++) {
      note('processor:failed', { ...(second % 2 === 0 ? SHARD : OTHER), ...FAILED })
      await clock.advance(1_000)
    }
    expect(said().length).to.be.within(9, 11)
    expect(said()[0]).to.deep.equal(['warn', 'a processor failed', 0])
    const counted = said().reduce((sum, [, , unsaid]) => sum + 1 + Number(unsaid), 0)
    expect(counted).to.be.within(540, 600)
    note('worker:stopped', { workerId: 'w', abandoned: [] })
    expect(said().reduce((sum, [, , unsaid]) => sum + 1 + Number(unsaid), 0)).to.equal(600)
  })

  it('says the last of a row although nothing follows it', async () => {
    const { clock, note, said, logger } = aLog()
    note('processor:failed', { ...SHARD, ...FAILED })
    note('processor:failed', { ...SHARD, ...FAILED })
    note('processor:failed', { ...OTHER, ...FAILED })
    expect(said()).to.have.length(1)
    await clock.advance(61_000)
    expect(said().slice(1)).to.deep.equal([['warn', 'a processor failed', 1]])
    expect(logger.lines[1]?.fields).to.include({ shardId: 'shard-2', err: error })
    await clock.advance(600_000)
    expect(said()).to.have.length(2)
  })

  it('says in one line that all is well again, once nothing is wrong any more', () => {
    const { note, said } = aLog()
    note('processor:failed', { ...SHARD, ...FAILED })
    note('processor:failed', { ...OTHER, ...FAILED })
    note('session:suspended', {})
    note('batch:processed', { ...SHARD, ...DONE })
    note('batch:processed', { ...SHARD, ...DONE })
    note('session:resumed', { afterMs: 5 })
    expect(said().filter(([level]) => level === 'info')).to.deep.equal([])
    note('batch:processed', { ...OTHER, ...DONE })
    note('batch:processed', { ...OTHER, ...DONE })
    expect(said().at(-1)).to.deep.equal(['info', 'what was wrong has passed', 0])
    expect(said().filter(([level]) => level === 'info')).to.have.length(1)
  })

  it('does not say that something has passed when its shard has gone elsewhere', () => {
    const { note, said } = aLog()
    note('processor:failed', { ...SHARD, ...FAILED })
    note('lease:released', SHARD)
    note('batch:processed', { ...SHARD, ...DONE })
    expect(said()).to.deep.equal([['warn', 'a processor failed', 0]])
  })

  it('names every shard that is halted, however many there are', () => {
    const { note, said } = aLog()
    for (const shard of [SHARD, OTHER, SHARD]) note('shard:halted', { ...shard, error, lastResort: 'halt' })
    expect(said()).to.have.length(3)
  })

  it('leaves to listeners what they hear', () => {
    const { note, said } = aLog()
    note('processor:failed', { ...SHARD, ...FAILED }, true)
    note('batch:processed', { ...SHARD, ...DONE }, true)
    expect(said()).to.deep.equal([])
  })
})
