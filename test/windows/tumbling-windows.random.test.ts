// Owners come, crash and fail at random; records are out of order. Whatever happens, every record counts exactly once.
import { expect } from 'chai'
import { seeds } from '../support/seeds.ts'
import { type Owner, WINDOW_MS, WindowWorld, type WorldOptions } from './window-world.ts'

async function run(
  seed: number,
  options: WorldOptions & { disorderMs: number; everyMs: number }
): Promise<WindowWorld> {
  const { disorderMs, everyMs } = options
  const world = new WindowWorld({ seed, ...options })
  const { random } = world
  let chance = 0.02
  let isWithinMemo = false
  world.crashes = at => {
    // With lateness, the table says less than it should between the two writes that end a close by the clock; see the docs.
    const isGap = at === 'checkpoint' && isWithinMemo && options.allowedLatenessMs !== undefined
    return !isGap && random.next() < chance
  }
  world.fails = () => random.next() < chance
  world.isPoison = number => number % 23 === 7
  let nowMs = 600_000
  for (let step = 0; step < 200; step++) {
    const quiet = random.next() < 0.1 ? random.next() * 4 * WINDOW_MS : random.next() * everyMs
    nowMs += quiet
    isWithinMemo = true
    await world.clock.advance(quiet)
    isWithinMemo = false
    for (let n = Math.floor(random.next() * 4); n > 0; n--) world.put(nowMs - random.next() * disorderMs)
    if (!world.owner.isAlive || random.next() < 0.03) world.takeOver()
    // Some are delivered later than others.
    if (random.next() < 0.8) {
      await deliver(world, 1 + Math.floor(random.next() * 5))
    }
  }
  chance = 0
  // The clock closes windows only once a call has gone well at the tip.
  do world.put(nowMs)
  while (world.isPoison(world.log.length - 1))
  while (world.owner.next < world.log.length || !world.owner.isAlive) {
    if (!world.owner.isAlive) world.takeOver()
    await deliver(world, 5)
  }
  await world.clock.advance(4_000_000)
  return world
}

/** All at once, or one by one if that fails. An owner that crashes meanwhile is not waited for. */
async function deliver(world: WindowWorld, count: number): Promise<void> {
  const { owner } = world
  const each = async (): Promise<void> => {
    if ((await world.deliver(count)) === undefined) return
    for (let n = 0; n < count && (await world.deliver(1)) === undefined; n++);
  }
  await Promise.race([each(), untilOver(world, owner)])
}

async function untilOver(world: WindowWorld, owner: Owner): Promise<void> {
  for (let turn = 0; turn < 20 && owner.isAlive; turn++) await world.clock.settle()
}

describe('tumblingWindows, with owners that crash at random', () => {
  for (const [name, options] of [
    ['in order', { disorderMs: 0, everyMs: 10_000 }],
    ['out of order', { disorderMs: 40_000, everyMs: 10_000 }],
    ['out of order, with some lateness', { disorderMs: 40_000, everyMs: 10_000, allowedLatenessMs: 20_000 }],
    ['out of order, with enough lateness', { disorderMs: 40_000, everyMs: 10_000, allowedLatenessMs: 45_000 }],
    ['very much out of order', { disorderMs: 300_000, everyMs: 10_000, allowedLatenessMs: 100_000 }],
    ['few and out of order', { disorderMs: 90_000, everyMs: 90_000, allowedLatenessMs: 30_000 }]
  ] as const) {
    it(`has every record in one window and no other: ${name}`, async () => {
      for (const seed of seeds(15)) {
        const world = await run(seed, options)
        const all = world.log.map((_, number) => number).filter(number => !world.isPoison(number))
        expect(world.inSink(), `SEED=${seed}`).to.deep.equal(all)
      }
    })
  }
})
