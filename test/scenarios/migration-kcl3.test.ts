// A fleet of KCL 3.x, whose leader assigns, changed over to Millrace on its table, and back, while records flow.
import { expect } from 'chai'
import { isSession } from '../../src/leases/session-id.ts'
import { expectSafe } from '../support/fleet.ts'
import { aKcl3World } from '../support/kcl3-fleet.ts'
import { Kcl3Worker } from '../support/kcl3-worker.ts'
import { Migration } from '../support/migration.ts'
import { seeds } from '../support/seeds.ts'

describe('a change between KCL 3.x and Millrace', () => {
  it('goes there and back with every record delivered and few twice', async () => {
    for (const seed of seeds(1)) {
      const world = await aKcl3World({ seed })
      const migration = new Migration(seed, { world })
      const begun = (names: readonly string[]): Kcl3Worker[] =>
        names.map(name => {
          const java = new Kcl3Worker(world, name)
          java.start()
          return java
        })
      const javas = begun(['java-1', 'java-2'])
      await world.load(60_000, { everyMs: 500 })
      const before = world.ledger.duplicates().length
      await migration.run('millrace', {
        'start-millrace': () => migration.millraces(2),
        'stop-kcl': () => void migration.rolling(javas.map(java => () => java.stop()))
      })
      expect((await migration.owners()).every(isSession), `SEED=${seed}: all ours`).to.equal(true)
      expect((await world.control.mailboxes()).map(({ mode }) => mode)).to.deep.equal(['solo', 'solo'])
      const ours = [...world.members]
      await migration.run('kcl', {
        'start-kcl': () => void begun(['java-3', 'java-4']),
        'stop-millrace': () =>
          void migration.rolling(
            ours.map(
              ({ worker }) =>
                () =>
                  void worker.stop()
            ),
            60_000
          )
      })
      expect((await migration.owners()).some(isSession), `SEED=${seed}: none ours`).to.equal(false)
      await world.load(60_000, { everyMs: 500 })
      const twice = world.ledger.duplicates().length - before
      expect(twice, `SEED=${seed}: duplicates of ${world.ledger.produced}`).to.be.lessThan(world.ledger.produced / 50)
      await expectSafe(world, { mayStray: true })
    }
  })
})
