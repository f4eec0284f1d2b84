// A fleet in virtual time, and the program beside it: what commands about fleets are tried on.
import type { WorkerPorts } from '../../src/worker/ports.ts'
import { CliRig } from './cli-rig.ts'
import { STREAM, World, type WorldOptions } from './world.ts'

/** A world with workers, and command lines that are run in it. */
export class CliFleet {
  readonly world: World
  /** The last command line's. */
  rig: CliRig

  constructor(options: WorldOptions = {}) {
    this.world = new World({ shards: 4, ...options })
    this.rig = this.#newRig()
  }

  /** Workers that share the shards. */
  async start(workers = 2): Promise<void> {
    for (let n = 0; n < workers; n++) await this.world.startWorker({ startAt: 'TRIM_HORIZON' })
    await this.world.clock.advanceUntil(() => {
      const loads = this.world.loads()
      return loads.reduce((a, b) => a + b, 0) === 4 && Math.max(...loads) - Math.min(...loads) <= 1
    })
  }

  /** Runs a command about this fleet, on outputs of its own. Time moves on until it is over. */
  run(...argv: readonly string[]): Promise<number> {
    return this.world.await(this.begin(...argv))
  }

  /** Begins one; moving time on is left to others. */
  begin(...argv: readonly string[]): Promise<number> {
    return this.beginRaw({}, ...argv, '--stream', STREAM, '--app', 'app')
  }

  /** Begins any command in this world, in the directory `cwd`. */
  beginRaw({ cwd = process.cwd() }: { readonly cwd?: string }, ...argv: readonly string[]): Promise<number> {
    const { env } = this.rig
    const { isTTY } = this.rig.stdout
    this.rig = this.#newRig()
    Object.assign(this.rig, { env, cwd })
    this.rig.stdout.isTTY = isTTY
    return this.rig.run(...argv)
  }

  #newRig(): CliRig {
    const { clock, kinesis, store, control } = this.world
    const rig = new CliRig({ clock })
    const ports: Partial<WorkerPorts> = { kinesis: kinesis.port(STREAM), store, control }
    rig.workerPorts = ports
    return rig
  }
}
