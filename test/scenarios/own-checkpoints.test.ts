// Checkpoints that are stored with the application's own data: exactly what was put is counted, whatever happens.
import { expect } from 'chai'
import {
  type ExtendedSequenceNumber,
  type InitializeInput,
  LeaseLostError,
  type LoadCheckpointInput,
  type ProcessRecordsInput,
  RecordProcessor,
  type SaveCheckpointInput,
  type WorkerOptions
} from '../../src/index.ts'
import { type SimulatedWorker, simulate, type World } from '../../src/testing/index.ts'
import { shardId } from '../support/builders.ts'
import { seeds } from '../support/seeds.ts'

const STREAM = 'payments'
const SHARD = shardId(0)

/** A database in memory: every call is a transaction. */
class Database {
  /** Texts of the records that are counted, in the order of the commits. */
  readonly counted: string[] = []
  readonly positions = new Map<string, { token: number; position: ExtendedSequenceNumber | undefined }>()
  /** Commits of earlier owners that were refused. */
  refused = 0

  enter(shard: string, token: number): ExtendedSequenceNumber | undefined {
    const row = this.positions.get(shard) ?? { token, position: undefined }
    this.#fence(shard, row.token, token)
    this.positions.set(shard, { ...row, token })
    return row.position
  }

  commit(texts: readonly string[], { shardId: shard, fencingToken, position, previous }: SaveCheckpointInput): void {
    const row = this.positions.get(shard)
    this.#fence(shard, row?.token ?? 0, fencingToken)
    const isSame =
      row?.position?.sequenceNumber === previous?.sequenceNumber &&
      row?.position?.subSequenceNumber === previous?.subSequenceNumber
    if (!isSame) throw new Error('the shard is somewhere else')
    this.positions.set(shard, { token: fencingToken, position })
    this.counted.push(...texts)
  }

  #fence(shard: string, stored: number, token: number): void {
    if (stored <= token) return
    this.refused += 1
    throw new LeaseLostError(shard, `a later owner than ${token} has begun: ${stored}`)
  }
}

/** What a test does to commits: throws, waits, or crashes the worker. */
interface Tricks {
  readonly beforeCommit?: (input: SaveCheckpointInput) => void | Promise<void>
  readonly afterCommit?: (input: SaveCheckpointInput) => void | Promise<void>
}

class Totals extends RecordProcessor {
  readonly #database: Database
  readonly #tricks: Tricks
  readonly #begun: (input: InitializeInput) => void
  #texts: readonly string[] = []

  constructor(database: Database, tricks: Tricks, begun: (input: InitializeInput) => void) {
    super()
    this.#database = database
    this.#tricks = tricks
    this.#begun = begun
  }

  override async loadCheckpoint({ shardId: shard, fencingToken }: LoadCheckpointInput) {
    return this.#database.enter(shard, fencingToken)
  }

  override initialize(input: InitializeInput): void {
    this.#begun(input)
  }

  async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
    this.#texts = records.map(record => record.text())
    await checkpointer.checkpoint()
  }

  override async saveCheckpoint(input: SaveCheckpointInput): Promise<void> {
    await this.#tricks.beforeCommit?.(input)
    this.#database.commit(this.#texts, input)
    this.#texts = []
    await this.#tricks.afterCommit?.(input)
  }
}

/** A program that counts what is in the stream. */
class Program {
  readonly database = new Database()
  readonly begun: InitializeInput[] = []

  options(tricks: Tricks = {}): WorkerOptions {
    return {
      streamName: STREAM,
      applicationName: 'totals',
      startAt: 'TRIM_HORIZON',
      retrieval: { maxRecords: 5 },
      processor: () => new Totals(this.database, tricks, input => this.begun.push(input))
    }
  }

  expectExactly(count: number, message?: string): void {
    const expected = Array.from({ length: count }, (_, i) => String(i))
    expect(
      [...this.database.counted].sort((a, b) => Number(a) - Number(b)),
      message
    ).to.deep.equal(expected)
  }
}

function put(world: World, from: number, to: number): void {
  for (let i = from; i < to; i++) world.kinesis.put(STREAM, `key-${i % 20}`, String(i))
}

function aWorld(seed = 1, options: Parameters<typeof simulate>[0] = {}): World {
  const world = simulate({ seed, faults: 'none', ...options })
  world.kinesis.createStream(STREAM, 1)
  return world
}

describe('checkpoints that are stored with the data of the application', () => {
  it('count nothing twice when a worker crashes between its commit and the write to the lease table', async () => {
    const world = aWorld()
    const program = new Program()
    let commits = 0
    const first: SimulatedWorker = world.launch(
      program.options({
        afterCommit: () => {
          commits += 1
          if (commits === 3) world.crash(first)
        }
      })
    )
    put(world, 0, 30)
    await world.until(() => !first.isAlive)
    const { counted, positions } = program.database
    expect(counted).to.have.length(15)
    const saved = positions.get(SHARD)?.position
    const second = await world.start(program.options())
    await world.until(() => counted.length >= 30)
    program.expectExactly(30)
    // It began where the database was, which the lease did not know.
    expect(program.begun.at(-1)?.checkpoint).to.equal(saved?.sequenceNumber)
    expect(second.shardIds).to.deep.equal([SHARD])
    await world.stopAll()
    world.assertSound()
  })

  it('refuse the commit of a worker that wakes up after its lease has moved', async () => {
    const world = aWorld()
    const program = new Program()
    let sleeps = 0
    const sleeper: SimulatedWorker = await world.start(
      program.options({
        beforeCommit: async () => {
          sleeps += 1
          if (sleeps === 2) {
            world.pause(sleeper)
            await sleeper.gate.pass()
          }
        }
      })
    )
    put(world, 0, 20)
    await world.until(() => sleeper.isPaused)
    await world.start(program.options())
    await world.until(() => program.database.counted.length >= 20)
    world.resume(sleeper)
    await world.advance(30_000)
    expect(program.database.refused).to.be.greaterThan(0)
    program.expectExactly(20)
    expect(sleeper.events('shard:halted')).to.deep.equal([])
    put(world, 20, 30)
    await world.until(() => program.database.counted.length >= 30)
    program.expectExactly(30)
    await world.stopAll()
    world.assertSound()
  })

  it('begin anew where the database is, with another processor, if a commit that failed was made all the same', async () => {
    const world = aWorld()
    const program = new Program()
    let commits = 0
    await world.start(
      program.options({
        afterCommit: () => {
          commits += 1
          if (commits === 2) throw new Error('no answer from the database')
        }
      })
    )
    put(world, 0, 20)
    await world.until(() => program.database.counted.length >= 20)
    await world.advance(10_000)
    program.expectExactly(20)
    expect(program.begun).to.have.length(2)
    await world.stopAll()
  })

  it('are tried again by the same processor if a commit has failed', async () => {
    const world = aWorld()
    const program = new Program()
    let tries = 0
    await world.start(
      program.options({
        beforeCommit: () => {
          tries += 1
          if (tries % 2 === 1) throw new Error('deadlock')
        }
      })
    )
    put(world, 0, 20)
    await world.until(() => program.database.counted.length >= 20)
    await world.advance(10_000)
    program.expectExactly(20)
    expect(program.begun).to.have.length(1)
    await world.stopAll()
  })

  it('halt the shard and say why, if the row of the lease was deleted and the database has not forgotten its token', async () => {
    const world = aWorld()
    const program = new Program()
    const options = { ...program.options(), onProcessorError: { attempts: 2 } }
    const first = await world.start(options)
    put(world, 0, 10)
    await world.until(() => program.database.counted.length >= 10)
    await world.stop(first)
    const tokenBefore = program.database.positions.get(SHARD)?.token ?? 0
    program.database.positions.set(SHARD, { token: tokenBefore + 100, position: undefined })
    const second = await world.start(options)
    await world.until(() => second.events('shard:halted').length > 0)
    const [failure] = second.events('processor:failed')
    expect(failure?.error.message).to.include('Was the row of the lease deleted')
    expect(program.database.counted).to.have.length(10)
    await world.stopAll()
  })

  it('read again what the database lost, if it was restored from a backup', async () => {
    // The simulator takes it for a mistake that records come again although nothing has crashed.
    const world = aWorld(1, { onViolation: 'collect' })
    const program = new Program()
    const first = await world.start(program.options())
    put(world, 0, 5)
    await world.until(() => program.database.counted.length >= 5)
    const backup = program.database.positions.get(SHARD)
    put(world, 5, 20)
    await world.until(() => program.database.counted.length >= 20)
    await world.stop(first)
    program.database.counted.length = 5
    program.database.positions.set(SHARD, { token: 0, position: backup?.position })
    await world.start(program.options())
    await world.until(() => program.database.counted.length >= 20)
    program.expectExactly(20)
    expect(new Set(world.violations.map(({ kind }) => kind))).to.deep.equal(new Set(['graceful-duplicate']))
    await world.stopAll()
  })

  it('are exact under faults, crashes, pauses, splits and commits that fail at random, and every claim has a higher token', async () => {
    for (const seed of seeds(12)) {
      const tokens = new Map<string, number[]>()
      const claims = new Set<string>()
      const world = aWorld(seed, {
        faults: 'hostile',
        leaseWritten: ({ kind, leaseKey, after, isWritten }) => {
          if (!isWritten || after === undefined) return
          // Whoever had no answer to its claim claims again what is its own by then: that looks like a renewal.
          if (kind === 'claim' || kind === 'renewal') claims.add(`${leaseKey} ${after.counter}`)
          if (kind !== 'claim') return
          tokens.set(leaseKey, [...(tokens.get(leaseKey) ?? []), after.counter])
        }
      })
      const program = new Program()
      const { random } = world
      const fail = (): void => {
        if (random.next() < 0.1) throw new Error('the database says no')
      }
      const tricks: Tricks = { beforeCommit: fail, afterCommit: fail }
      const options = { ...program.options(tricks), onProcessorError: { attempts: 1_000 } }
      for (let i = 0; i < 3; i++) world.launch(options)
      let puts = 0
      for (let step = 0; step < 40; step++) {
        put(world, puts, puts + 10)
        puts += 10
        await world.advance(3_000)
        const running = world.workers.filter(({ isRunning, isPaused }) => isRunning && !isPaused)
        const victim = running[Math.floor(random.next() * running.length)]
        if (step === 15) world.split(STREAM)
        if (victim === undefined || random.next() < 0.7) continue
        if (random.next() < 0.5) world.pause(victim, random.next() * 40_000)
        else {
          world.crash(victim)
          world.launch(options)
        }
      }
      await world.until(() => program.database.counted.length >= puts)
      await world.advance(60_000)
      program.expectExactly(puts, `SEED=${seed}`)
      for (const [leaseKey, ofLease] of tokens) {
        const growing = [...new Set(ofLease)].sort((a, b) => a - b)
        expect(ofLease, `SEED=${seed}: tokens of ${leaseKey}`).to.deep.equal(growing)
      }
      for (const { shardId: shard, fencingToken } of program.begun)
        expect(claims, `SEED=${seed}`).to.include(`${shard} ${fencingToken}`)
      for (const worker of world.workers) expect(worker.events('shard:halted'), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })
})
