// A fleet of Java KCL changed over to Millrace on its table, and back, while records flow: nothing is missing, whoever is killed or
// interrupted on the way. The Java workers are modelled as the others see them.
import { expect } from 'chai'
import { isSession } from '../../src/leases/session-id.ts'
import { OperationError } from '../../src/model/errors.ts'
import { expectSafe, openLeases } from '../support/fleet.ts'
import { Migration } from '../support/migration.ts'
import { seeds } from '../support/seeds.ts'
import { STREAM } from '../support/world.ts'

const SEEDS = 1

describe('a change from KCL to Millrace', () => {
  it('goes from a KCL fleet to a Millrace fleet on its own and back, with every record delivered and few twice', async () => {
    for (const seed of seeds(SEEDS)) {
      const migration = new Migration(seed)
      const { world } = migration
      migration.kcls(2)
      await world.load(60_000)
      const before = world.ledger.duplicates().length

      const foreseen = await migration.foresee('millrace')
      expect(foreseen.table.leases, `SEED=${seed}`).to.include({ ofKcl: 6, ofMillrace: 0 })
      expect(foreseen.notes.filter(({ severity }) => severity === 'blocker')).to.deep.equal([])

      const there = await migration.run('millrace', {
        'start-millrace': () => migration.millraces(2),
        'stop-kcl': () => void migration.rolling(migration.javas.map(java => () => java.kill()))
      })
      expect(there.asked).to.include.members(['start-millrace', 'stop-kcl', 'be-alone'])
      expect((await migration.owners()).every(isSession), `SEED=${seed}: all ours`).to.equal(true)
      expect((await world.control.mailboxes()).map(({ mode }) => mode)).to.deep.equal(['solo', 'solo'])
      await world.load(30_000)
      // What KCL workers had not checkpointed when they were killed comes twice; they checkpoint each second.
      const twice = world.ledger.duplicates().length
      expect(twice - before, `SEED=${seed}: duplicates of ${world.ledger.produced}`).to.be.lessThan(
        world.ledger.produced / 50
      )

      const ours = world.members.slice()
      const back = await migration.run('kcl', {
        'start-kcl': () => migration.kcls(2),
        'stop-millrace': () =>
          void migration.rolling(
            ours.map(
              ({ worker }) =>
                () =>
                  void worker.stop()
            ),
            30_000
          )
      })
      expect(back.asked).to.include.members(['share', 'start-kcl', 'stop-millrace'])
      expect((await migration.owners()).some(isSession), `SEED=${seed}: none ours`).to.equal(false)
      await world.load(30_000)
      const after = world.ledger.duplicates().length - twice
      expect(after, `SEED=${seed}: duplicates on the way back`).to.be.lessThan(world.ledger.produced / 50)
      await expectSafe(world, { mayStray: true })
    }
  })

  it('goes on where it was interrupted, and has nothing to do when it is done', async () => {
    const migration = new Migration(seeds(1)[0] ?? 1)
    const { world } = migration
    migration.java()
    await world.load(60_000)
    const interruption = new AbortController()
    const first = migration.run(
      'millrace',
      { 'start-millrace': () => migration.millrace(), 'stop-kcl': () => interruption.abort() },
      { signal: interruption.signal }
    )
    const error = await first.then(
      () => undefined,
      (caught: unknown) => caught
    )
    expect(error).to.be.instanceOf(OperationError).and.include({ because: 'interrupted' })
    await world.load(60_000)
    expect((await world.control.mailboxes()).map(({ mode }) => mode)).to.deep.equal(['mixed'])
    const { asked } = await migration.run('millrace', { 'stop-kcl': () => migration.javas[0]?.kill() })
    expect(asked[0]).to.equal('stop-kcl')
    const again = await migration.run('millrace', {})
    expect(again.asked).to.deep.equal([])
    expect(again.report).to.include({ tookMs: 0 }).and.not.have.property('ordered')
    await world.stopAll()
  })
})

describe('a change from Millrace to KCL', () => {
  it('loses nothing in shards that began at LATEST and have no checkpoint, and repeats nothing older', async () => {
    for (const seed of seeds(SEEDS)) {
      const migration = new Migration(seed, { shards: 2 })
      const { world } = migration
      // What is there before is not for this application, in one shard; in the other there is nothing.
      const before = [1, 2, 3].map(() => world.kinesis.put(STREAM, 'old', 'old', { explicitHashKey: '0' }))
      await world.clock.advance(30_000)
      // Nothing is processed: the position of a shard is the time at which it was first seen.
      const never = (): Promise<void> => new Promise(() => undefined)
      migration.millrace({ startAt: 'LATEST', handler: never })
      await world.clock.advance(20_000)
      const rows = await openLeases(world)
      expect(rows.map(({ checkpoint }) => checkpoint.sequenceNumber)).to.deep.equal(['LATEST', 'LATEST'])
      const [member] = world.members
      const { report } = await migration.run('kcl', {
        'start-kcl': () => void migration.java(),
        'stop-millrace': () => member?.crash()
      })
      expect(report.written.map(({ why }) => why)).to.deep.equal([['start-time'], ['start-time']])
      await world.load(30_000)
      await world.untilDelivered()
      expect(before).to.have.lengthOf(3)
      const ids = world.ledger.deliveries.filter(({ worker }) => worker.startsWith('java')).map(({ id }) => id)
      expect(ids.some(Number.isNaN), `SEED=${seed}: nothing older`).to.equal(false)
    }
  })
})
