import { expect } from 'chai'
import type { KclSighting } from '../../src/leases/kcl-coordination.ts'
import {
  doesKclAssign,
  judgeKcl,
  KCL_LOCK_PATIENCE_MS,
  type KclLockWatch,
  type KclLook,
  type KclStanding,
  watchKclLock
} from '../../src/leases/kcl-rules.ts'

const LEADER: KclStanding = { algorithm: 'leader', place: 'lease-table' }

describe('judgeKcl', () => {
  const legacy = { hasLegacyTables: true } as const
  const table: readonly (readonly [string, Partial<KclSighting>, KclStanding])[] = [
    ['nothing is said', {}, { algorithm: 'takers' }],
    ['nothing is said beside old tables', legacy, { algorithm: 'takers' }],
    ['INIT', { version: 'INIT' }, { algorithm: 'takers' }],
    ['2X', { version: '2X' }, { algorithm: 'takers' }],
    ['2X, after tables were migrated', { version: '2X', tableMigration: 'COMPLETE' }, { algorithm: 'takers' }],
    ['UPGRADE_FROM_2X', { version: 'UPGRADE_FROM_2X' }, { algorithm: 'takers', place: 'lease-table' }],
    ['3X_WITH_ROLLBACK', { version: '3X_WITH_ROLLBACK' }, LEADER],
    ['3X', { version: '3X' }, LEADER],
    ['3X of 3.0 to 3.4', { version: '3X', ...legacy }, { ...LEADER, place: 'legacy-tables' }],
    ['INIT of tables', { version: '3X', ...legacy, tableMigration: 'INIT' }, { ...LEADER, place: 'legacy-tables' }],
    ['DEPLOYED', { version: '3X', ...legacy, tableMigration: 'DEPLOYED' }, { ...LEADER, place: 'legacy-tables' }],
    [
      'DEPLOYED, and some Java workers have gone ahead',
      { version: '3X', ...legacy, tableMigration: 'DEPLOYED', isLeaseTableInUse: true },
      LEADER
    ],
    ['PENDING', { version: '3X', ...legacy, tableMigration: 'PENDING' }, LEADER],
    ['COMPLETE', { version: '3X', ...legacy, tableMigration: 'COMPLETE' }, LEADER]
  ]
  for (const [what, sighting, standing] of table) {
    it(`says ${Object.values(standing).join(', ')} where it reads ${what}`, () => {
      expect(judgeKcl({ hasLegacyTables: false, ...sighting })).to.deep.equal(standing)
    })
  }
})

describe('watchKclLock and doesKclAssign', () => {
  const look = (nowMs: number, with_: Partial<KclLook> = {}): KclLook => {
    return { nowMs, nowS: 1_000, maxStepMs: 20_000, hasForeigners: true, isSilent: () => false, ...with_ }
  }
  const seen = (version?: string, ownerSeenAtS?: number): KclSighting => {
    const lock = version === undefined ? undefined : { owner: 'java', version, ...(ownerSeenAtS && { ownerSeenAtS }) }
    return { hasLegacyTables: false, version: '3X', ...(lock && { lock }) }
  }
  /** The watch after looks every ten seconds. */
  const goneOn = (
    from: KclLockWatch | undefined,
    sightings: readonly KclSighting[],
    with_: Partial<KclLook> = {}
  ): KclLockWatch | undefined =>
    sightings.reduce((before, sighting) => {
      return watchKclLock(before, sighting, look((before?.atMs ?? -10_000) + 10_000, with_))
    }, from)
  const watched = (...sightings: readonly KclSighting[]): KclLockWatch | undefined => goneOn(undefined, sightings)
  const times = (count: number, version?: string): KclSighting[] => Array(count).fill(seen(version))

  it('leaves everything to a leader at the first sight of its lock, and for as long as that moves', () => {
    expect(doesKclAssign(LEADER, watched(seen('1')))).to.equal(true)
    expect(doesKclAssign(LEADER, watched(...times(4, '1'), ...times(4, '2'), ...times(4, '3')))).to.equal(true)
  })

  it('gives up on a lock that has not moved for long enough, and on none before', () => {
    const looks = KCL_LOCK_PATIENCE_MS / 10_000
    expect(doesKclAssign(LEADER, watched(...times(Math.floor(looks), '1')))).to.equal(true)
    expect(doesKclAssign(LEADER, watched(...times(Math.ceil(looks) + 1, '1')))).to.equal(false)
  })

  it('goes back to a leader with the first movement of its lock', () => {
    expect(doesKclAssign(LEADER, watched(...times(20, '1'), seen('2')))).to.equal(true)
    expect(doesKclAssign(LEADER, watched(...times(20), seen('2')))).to.equal(true)
  })

  it('waits for another Java worker after a lock was given back', () => {
    expect(doesKclAssign(LEADER, watched(seen('1'), ...times(7)))).to.equal(true)
    expect(doesKclAssign(LEADER, watched(seen('1'), ...times(9)))).to.equal(false)
  })

  it('waits for nobody where there is no lock, and no Java worker that could take it', () => {
    const alone = watchKclLock(undefined, seen(), look(0, { hasForeigners: false }))
    expect(doesKclAssign(LEADER, alone)).to.equal(false)
    expect(doesKclAssign(LEADER, watchKclLock(undefined, seen(), look(0)))).to.equal(true)
  })

  it('does not wait for a lock that was left behind: its owner has published nothing for a minute', () => {
    expect(doesKclAssign(LEADER, watchKclLock(undefined, seen('1', 939), look(0)))).to.equal(false)
    expect(doesKclAssign(LEADER, watchKclLock(undefined, seen('1', 940), look(0)))).to.equal(true)
    expect(doesKclAssign(LEADER, watched(seen('1', 1), seen('2', 1)))).to.equal(true)
  })

  it('counts no time in which it did not watch', () => {
    const before = watched(seen('1'))
    const asleep = watchKclLock(before, seen('1'), look(3_600_000))
    expect(asleep).to.include({ stillMs: 20_000 })
  })

  describe('of a leader that renews none of its leases any more', () => {
    const silent = { isSilent: (worker: string) => worker === 'java' }
    const lock = (owner: string, version: string): KclSighting => {
      return { hasLegacyTables: false, version: '3X', lock: { owner, version } }
    }

    it('waits for it no longer, once its lock has not moved between two looks either', () => {
      const moved = goneOn(watched(seen('1')), [seen('2')], silent)
      expect(doesKclAssign(LEADER, moved), 'it may have moved before').to.equal(true)
      const still = goneOn(moved, [seen('2')], silent)
      expect(doesKclAssign(LEADER, still)).to.equal(false)
      expect(doesKclAssign(LEADER, goneOn(still, [seen('2')])), 'also once others have its leases').to.equal(false)
    })

    it('concludes nothing at the first sight of the lock', () => {
      expect(doesKclAssign(LEADER, goneOn(undefined, [seen('1')], silent))).to.equal(true)
    })

    it('does not wait for another one where it has given the lock back, until one has it', () => {
      const gone = goneOn(watched(seen('1')), [seen()], silent)
      expect(doesKclAssign(LEADER, gone)).to.equal(false)
      const later = goneOn(gone, times(2))
      expect(doesKclAssign(LEADER, later), 'still').to.equal(false)
      expect(doesKclAssign(LEADER, goneOn(later, [lock('other', '1')], silent))).to.equal(true)
    })

    it('judges who has the lock now, and not who had it before', () => {
      const other = watched(seen('1'), lock('other', '2'))
      expect(doesKclAssign(LEADER, goneOn(other, [lock('other', '2')], silent))).to.equal(true)
    })

    it('believes the lock alone of one that had only seemed dead', () => {
      const woken = goneOn(goneOn(watched(seen('1')), [seen('1')], silent), [seen('2')], silent)
      expect(doesKclAssign(LEADER, woken)).to.equal(true)
      const still = goneOn(woken, times(7, '2'), silent)
      expect(doesKclAssign(LEADER, still)).to.equal(true)
      expect(doesKclAssign(LEADER, goneOn(still, [seen('2')], silent))).to.equal(false)
    })

    it('holds nothing against a worker that comes back under its name long after', () => {
      const back = goneOn(goneOn(watched(seen('1')), times(9, '1'), silent), [seen('2')])
      expect(doesKclAssign(LEADER, back)).to.equal(true)
      expect(doesKclAssign(LEADER, goneOn(back, [seen('2')], silent))).to.equal(false)
    })
  })

  it('leaves nothing to a fleet whose workers take leases from one another', () => {
    expect(doesKclAssign({ algorithm: 'takers', place: 'lease-table' }, watched(seen('1')))).to.equal(false)
    expect(doesKclAssign(LEADER, undefined)).to.equal(false)
  })
})
