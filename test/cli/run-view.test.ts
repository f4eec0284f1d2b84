import { expect } from 'chai'
import type { Output } from '../../src/cli/cli-ports.ts'
import { RunBoard } from '../../src/cli/run-board.ts'
import { boardLogger, isDrawable, jsonLogger, lineView, liveView, tellEvents } from '../../src/cli/run-view.ts'
import { Terminal } from '../../src/cli/terminal.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import type { WorkerHealth } from '../../src/worker/health-rules.ts'
import { CollectingOutput } from '../support/cli-rig.ts'
import { collectingLogger } from '../support/collecting-logger.ts'
import { WatchedWorker } from '../support/watched-worker.ts'

const RED: WorkerHealth = {
  color: 'red',
  state: 'running',
  paused: false,
  shards: [
    {
      shardId: 'shardId-000000000001',
      streamName: 'orders',
      color: 'red',
      state: 'halted',
      paused: false,
      reason: 'halted: boom'
    }
  ]
}

const SHARD = { shardId: 'shardId-000000000001', leaseKey: 'shardId-000000000001', streamName: 'orders' }

function aTerminal({ isTTY = true, isJson = false, columns = 100, rows = 30 } = {}): Terminal {
  const [stdout, stderr] = [new CollectingOutput(), new CollectingOutput()]
  for (const output of [stdout, stderr]) Object.assign(output, { isTTY, columns, rows })
  return new Terminal({ stdout: stdout as Output, stderr: stderr as Output, env: { NO_COLOR: '1' } }, isJson)
}

const textOf = (output: Output): string => (output as unknown as CollectingOutput).text

describe('isDrawable', () => {
  it('is so on a terminal with some room, and for a person', () => {
    expect(isDrawable(aTerminal(), {})).to.equal(true)
    expect(isDrawable(aTerminal({ isTTY: false }), {})).to.equal(false)
    expect(isDrawable(aTerminal({ isJson: true }), {})).to.equal(false)
    expect(isDrawable(aTerminal({ rows: 5 }), {})).to.equal(false)
    expect(isDrawable(aTerminal({ columns: 20 }), {})).to.equal(false)
    expect(isDrawable(aTerminal(), { TERM: 'dumb' })).to.equal(false)
  })
})

describe('jsonLogger', () => {
  it('writes lines of JSON with the time, from a level on', () => {
    const output = new CollectingOutput()
    const logger = jsonLogger(output as Output, new VirtualClock(Date.parse('2026-11-27T10:00:00Z')), 'info')
    logger.debug({}, 'hidden')
    logger.info({ shardId: 's' }, 'shown')
    logger.error({ error: new Error('boom'), data: Buffer.from('secret') }, 'wrong')
    expect(output.objects[0]).to.deep.equal({
      level: 'info',
      msg: 'shown',
      time: '2026-11-27T10:00:00.000Z',
      shardId: 's'
    })
    expect(output.objects[1]?.error).to.include({ message: 'boom' })
    expect(output.text).to.not.include('secret')
    expect(output.objects).to.have.lengthOf(2)
  })
})

describe('boardLogger', () => {
  it('tells what happened in words', () => {
    const board = new RunBoard(new WatchedWorker(RED), new VirtualClock(), { streamName: 's', applicationName: 'a' })
    const logger = boardLogger(() => board)
    logger.debug({}, 'hidden')
    logger.warn({ shardId: 'shardId-000000000007', error: new Error('boom') }, 'a processor failed')
    logger.info({}, 'the worker runs')
    expect(board.snapshot().happenings.map(({ level, text }) => `${level}: ${text}`)).to.deep.equal([
      'warn: shard 7: a processor failed (boom)',
      'info: the worker runs'
    ])
    boardLogger(() => undefined).error({}, 'before there is one')
  })
})

describe('tellEvents', () => {
  it('tells what happens seldom, and a lease that was lost as a warning', () => {
    const worker = new WatchedWorker(RED)
    const logger = collectingLogger()
    tellEvents(worker, logger)
    const { emitter } = worker
    emitter.emit('worker:started', { workerId: 'w', session: 'x', streamName: 's', tableName: 't' })
    emitter.emit('lease:taken', { ...SHARD, why: 'unowned', checkpoint: 'LATEST' })
    emitter.emit('lease:lost', { ...SHARD, because: 'another worker has it' })
    emitter.emit('lease:released', SHARD)
    emitter.emit('shard:ended', { ...SHARD, childShardIds: ['c'] })
    emitter.emit('batch:processed', { ...SHARD, records: 1, bytes: 1, millisBehindLatest: 0, durationMs: 1 })
    emitter.emit('worker:stopping', { workerId: 'w', graceMs: 5 })
    emitter.emit('worker:stopped', { workerId: 'w', abandoned: [] })
    emitter.emit('worker:stopped', { workerId: 'w', abandoned: ['s'] })
    expect(logger.lines.map(({ level }) => level)).to.deep.equal([
      ...['info', 'info', 'warn', 'info', 'info', 'info', 'info', 'warn']
    ])
  })
})

describe('lineView', () => {
  it('says how far the worker is, once a minute and no more', async () => {
    const clock = new VirtualClock()
    const worker = new WatchedWorker(RED)
    const logger = collectingLogger()
    const board = new RunBoard(worker, clock, { streamName: 's', applicationName: 'a' })
    const view = lineView(logger, clock, board)
    worker.emitter.emit('lease:taken', { ...SHARD, why: 'unowned', checkpoint: '' })
    worker.emitter.emit('batch:processed', { ...SHARD, records: 60, bytes: 600, millisBehindLatest: 0, durationMs: 1 })
    await clock.advance(600_000)
    expect(logger.lines).to.have.lengthOf(10)
    expect(logger.lines[0]).to.deep.include({ level: 'info', message: 'progress' })
    expect(logger.lines[0]?.fields).to.deep.include({ records: 60, bytes: 600, shards: 1, red: [SHARD.shardId] })
    await view.stop()
    expect(clock.sleeping).to.equal(0)
  })
})

describe('liveView', () => {
  it('draws four frames a second, and leaves the last one', async () => {
    const clock = new VirtualClock()
    const terminal = aTerminal()
    const board = new RunBoard(new WatchedWorker(RED), clock, { streamName: 'orders', applicationName: 'printer' })
    const view = liveView(terminal, clock, board)
    await clock.advance(2_000)
    board.note('info', 'the very last')
    await view.stop()
    expect(clock.sleeping).to.equal(0)
    const text = textOf(terminal.stdout)
    expect(text).to.include('orders → printer')
    expect(text.split('the very last')).to.have.lengthOf(2)
    terminal.stdout.write('after\n')
    expect(textOf(terminal.stdout)).to.match(/after\n$/)
  })
})
