// What a worker says at info and above while nobody listens to its events: next to nothing in the steady state, and a bounded
// number of lines while something is wrong for long.
import { expect } from 'chai'
import pino from 'pino'
import type { Worker, WorkerOptions } from '../../src/index.ts'
import { ThrottledError } from '../../src/model/errors.ts'
import { bareWorker } from '../support/bare-worker.ts'
import { type CollectingLogger, collectingLogger } from '../support/collecting-logger.ts'
import { World } from '../support/world.ts'

const TEN_MINUTES = 600

type Options = Omit<Partial<WorkerOptions>, 'handler'> & { readonly handler?: () => void | Promise<void> }

const throttled = (): Promise<never> => Promise.reject(new ThrottledError('too often'))

/** Ten minutes with a record a second, or without any. */
async function tenMinutes(world: World, isIdle = false): Promise<void> {
  for (let second = 0; second < TEN_MINUTES; second++) {
    if (!isIdle) world.put(`key-${second % 50}`)
    await world.clock.advance(1_000)
  }
}

const loud = ({ lines }: CollectingLogger) => lines.filter(({ level }) => level !== 'debug')
const shown = (logger: CollectingLogger): string =>
  loud(logger)
    .map(({ level, message, fields }) => `${level} ${message} ${JSON.stringify(fields)}`)
    .join('\n')

async function expectStillWorking(world: World, workers: readonly Worker[]): Promise<void> {
  for (const worker of workers) expect(worker.health()).to.include({ color: 'green', state: 'running' })
  await world.await(Promise.all(workers.map(worker => worker.stop())))
}

describe('the log of a worker at info, in ten minutes', function () {
  this.timeout(60_000)

  for (const mode of ['polling', 'fan-out'] as const) {
    for (const count of [1, 3]) {
      for (const isIdle of [false, true]) {
        const what = `${count === 1 ? 'one worker' : 'a fleet of 3'} by ${mode}, ${isIdle ? 'idle' : 'with records'}`
        it(`has at most 10 lines: ${what}`, async () => {
          const world = new World({ shards: 4 })
          const loggers = Array.from({ length: count }, collectingLogger)
          const retrieval = mode === 'fan-out' ? { mode, consumerName: 'app' } : {}
          let processed = 0
          const handler = (): void => {
            processed += 1
          }
          const options = { retrieval, handler }
          const workers = loggers.map((logger, index) =>
            bareWorker(world, { ...options, logger, workerId: `w${index}` })
          )
          for (const worker of workers) await world.await(worker.start())
          await tenMinutes(world, isIdle)
          if (!isIdle) expect(processed).to.be.at.least(TEN_MINUTES / 2)
          for (const logger of loggers) expect(loud(logger).length, shown(logger)).to.be.at.most(10)
          await expectStillWorking(world, workers)
          for (const logger of loggers) expect(loud(logger).length, shown(logger)).to.be.at.most(10)
        })
      }
    }
  }

  const troubles: Readonly<Record<string, { options?: Options; isThrottled?: true; most: number }>> = {
    'Kinesis refuses every read': { isThrottled: true, most: 20 },
    'a handler hangs': { options: { handler: () => new Promise(() => {}) }, most: 20 },
    'a handler fails again and again': {
      options: {
        handler: () => Promise.reject(new Error('broken')),
        onProcessorError: { attempts: Number.POSITIVE_INFINITY, backoffMs: 100, maxBackoffMs: 200 }
      },
      most: 20
    }
  }
  for (const [what, { options, isThrottled, most }] of Object.entries(troubles)) {
    it(`has at most a line a minute at info, and ${most} warnings, while ${what}`, async () => {
      const world = new World({ shards: 4 })
      const logger = collectingLogger()
      const worker = bareWorker(world, { ...options, logger }, () => (isThrottled ? throttled() : undefined))
      await world.await(worker.start())
      await tenMinutes(world)
      const lines = loud(logger)
      expect(lines.filter(({ level }) => level === 'info').length, shown(logger)).to.be.at.most(10)
      expect(lines.filter(({ level }) => level !== 'info').length, shown(logger)).to.be.within(1, most)
      expect(worker.health().color).to.equal('red')
      await world.await(worker.stop({ graceMs: 0 }))
    })
  }

  it('says in one line that what was wrong has passed', async () => {
    const world = new World({ shards: 2 })
    const logger = collectingLogger()
    let isThrottled = true
    const worker = bareWorker(world, { logger }, () => (isThrottled ? throttled() : undefined))
    await world.await(worker.start())
    await world.clock.advance(300_000)
    isThrottled = false
    await tenMinutes(world)
    const passed = loud(logger).filter(({ message }) => message === 'what was wrong has passed')
    expect(passed.length, shown(logger)).to.equal(1)
    await expectStillWorking(world, [worker])
  })

  it('is taken by pino as it is, with the error and what it was caused by', async () => {
    const world = new World()
    const text: string[] = []
    const logger = pino({ level: 'debug' }, { write: line => void text.push(line) })
    const options: Options = {
      handler: () => Promise.reject(new Error('the database is down')),
      onProcessorError: { attempts: 2, backoffMs: 100 }
    }
    const worker = bareWorker(world, { ...options, logger })
    await world.await(worker.start())
    world.put('key')
    await world.clock.advance(10_000)
    const lines = text.map(line => JSON.parse(line) as { level: number; msg: string; event?: string; err?: object })
    const failed = lines.find(({ level, event }) => level === 40 && event === 'processor:failed')
    expect(failed).to.include({ msg: 'a processor failed' })
    expect(JSON.stringify(failed?.err)).to.include('the database is down')
    expect(lines.find(({ level }) => level === 50)).to.include({ event: 'shard:halted' })
    await world.await(worker.stop())
  })
})
