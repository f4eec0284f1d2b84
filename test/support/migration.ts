// A change between KCL and Millrace in a world, under load, with somebody who does what is asked of them.
import { expect } from 'chai'
import { openFleet } from '../../src/operate/fleet.ts'
import type { MigrationOptions, MigrationReport } from '../../src/operate/migration.ts'
import type { MigrationStepName } from '../../src/operate/plan-migration.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { openLeases } from './fleet.ts'
import { JavaWorker } from './java-worker.ts'
import { STREAM, World, type WorldWorkerOptions } from './world.ts'

/** What an operator does at the steps that are theirs, once each. */
export type Deeds = Partial<Record<MigrationStepName, () => void>>

/** A change, and the fleet that it is about. */
export class Migration {
  readonly world: World
  readonly #fleet
  readonly javas: JavaWorker[] = []

  constructor(seed: number, { shards = 6, world = new World({ shards, seed, latencyMs: 10 }) } = {}) {
    this.world = world
    const { clock, kinesis, store, control } = this.world
    const ports = { clock, random: seededRandom(seed), kinesis: kinesis.port(STREAM), store, control }
    this.#fleet = openFleet({ applicationName: 'app', streamName: STREAM, by: 'ann' }, ports)
  }

  java(): JavaWorker {
    const java = new JavaWorker(this.world, `java-${this.javas.length + 1}`)
    this.javas.push(java)
    java.start()
    return java
  }

  millrace(options: WorldWorkerOptions = {}): void {
    void this.world.makeWorker(options).worker.start()
  }

  millraces(count: number): void {
    for (let n = 0; n < count; n++) this.millrace()
  }

  kcls(count: number): void {
    for (let n = 0; n < count; n++) this.java()
  }

  foresee(to: 'millrace' | 'kcl') {
    return this.underLoad(this.#fleet.foreseeMigration(to))
  }

  /** Changes over under load, with somebody who does what is asked of them. Says what was asked, in order. */
  async run(
    to: 'millrace' | 'kcl',
    deeds: Deeds,
    options: MigrationOptions = {}
  ): Promise<{ report: MigrationReport; asked: string[] }> {
    const asked: string[] = []
    const onProgress: MigrationOptions['onProgress'] = ({ step }) => {
      if (step === undefined || asked.at(-1) === step.name) return
      const isNew = !asked.includes(step.name)
      asked.push(step.name)
      if (isNew) deeds[step.name]?.()
    }
    const report = await this.underLoad(this.#fleet.migrate(to, { ...options, onProgress }))
    return { report, asked }
  }

  /** Waits while records arrive. */
  async underLoad<T>(promise: Promise<T>, untilMs = 900_000): Promise<T> {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    promise.then(over, over)
    for (let ms = 0; !isOver && ms < untilMs; ms += 500) await this.world.load(500)
    expect(isOver, `SEED=${this.world.seed}: over after ${untilMs} ms`).to.equal(true)
    return promise
  }

  /** One after another, `everyMs` apart, as in a rolling deployment. */
  async rolling(work: readonly (() => unknown)[], everyMs = 20_000): Promise<void> {
    for (const one of work) {
      one()
      await this.world.clock.sleep(everyMs)
    }
  }

  async owners(): Promise<string[]> {
    return (await openLeases(this.world)).map(({ owner = '' }) => owner)
  }
}
