// A worker on the ports of a world that nobody listens to, so that what is wrong is logged; its reads can be tampered with.
import { Worker, type WorkerOptions } from '../../src/index.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import type { WorkerPorts } from '../../src/worker/ports.ts'
import { STREAM, type World } from './world.ts'

/** Called instead of each read; `undefined`: it goes on to the stream. */
export type ReadFate = () => Promise<never> | undefined

export function bareWorker(world: World, options: object, fate: ReadFate = () => undefined): Worker {
  const port = world.kinesis.port(STREAM)
  const kinesis = Object.create(port, {
    getRecords: {
      value: (...given: Parameters<typeof port.getRecords>) => fate() ?? port.getRecords(...given)
    }
  }) as typeof port
  const given = {
    ...{ streamName: STREAM, applicationName: 'app', workerId: 'w0', startAt: 'TRIM_HORIZON' },
    handler: () => {},
    ...options
  } as WorkerOptions
  const ports: Partial<WorkerPorts> = {
    clock: world.clock,
    random: seededRandom(world.random.next() * 2 ** 32),
    kinesis,
    fanOut: world.kinesis.fanOut(STREAM),
    store: world.store,
    control: world.control
  }
  return new Worker(given, ports)
}
