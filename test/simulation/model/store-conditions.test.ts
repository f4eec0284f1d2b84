// Holds the conditions of the models against the stores in memory, by random items and random writes.
import { expect } from 'chai'
import type { ControlStore, LeaderLock, Member, MemberReport } from '../../../src/leases/control-store.ts'
import { frozenCopy } from '../../../src/leases/frozen-copy.ts'
import { type MemoryLeaseStore, memoryLeaseStore } from '../../../src/leases/memory-lease-store.ts'
import { checkpointed, claimed, finished, type Lease, released } from '../../../src/model/lease.ts'
import { type Random, seededRandom } from '../../../src/runtime/random.ts'
import { aLease, aPosition } from '../../support/builders.ts'
import { seeds } from '../../support/seeds.ts'
import { newcomer } from './sessions.ts'
import { beaten, certified, createRow, joined, replaceLock, replaceRow } from './store-conditions.ts'

const OWNERS = ['w1/00000001', 'w1/00000002', 'w2/00000001']
const WRITES_PER_SEED = 200

describe('the conditions of the model check', () => {
  for (const seed of seeds(5)) {
    it(`write rows as the lease table does, SEED=${seed}`, async () => {
      const random = seededRandom(seed)
      const store = memoryLeaseStore()
      const copies: Lease[] = [aLease()]
      let row: Lease | undefined
      for (let write = 0; write < WRITES_PER_SEED; write++) {
        const before = pick(copies, random)
        row = random.next() < 0.1 ? await createBoth(store, row, before) : await replaceBoth(store, row, before, random)
        if (row !== undefined && random.next() < 0.5) copies.push(row)
      }
      expect(copies.length).to.be.greaterThan(20)
    })

    it(`write the items of sessions as the control table does, SEED=${seed}`, async () => {
      const random = seededRandom(seed)
      const { control } = memoryLeaseStore()
      const items = new Map<string, Member>()
      for (let write = 0; write < WRITES_PER_SEED; write++) {
        const session = `w${1 + Math.floor(random.next() * 40)}/00000001`
        const item = await writeBoth(control, items.get(session), session, random)
        expect(await control.member(session)).to.deep.equal(item)
        if (item !== undefined) items.set(session, item)
      }
      expect([...items.values()].filter(({ dead }) => dead !== undefined)).to.not.deep.equal([])
    })

    it(`replace the lock as the control table does, SEED=${seed}`, async () => {
      const random = seededRandom(seed)
      const { control } = memoryLeaseStore()
      const seen: (LeaderLock | undefined)[] = [undefined]
      for (let write = 0; write < WRITES_PER_SEED; write++) {
        const lock = await control.leader()
        const [before, after] = [pick(seen.slice(-3), random), aLock(pick(seen.slice(-3), random), random)]
        const next = replaceLock(lock, before, after)
        expect(await control.replaceLeader(before, after)).to.equal(next !== undefined)
        expect(await control.leader()).to.deep.equal(next ?? lock)
        seen.push(next ?? lock)
      }
      expect(new Set(seen).size).to.be.greaterThan(10)
    })
  }
})

async function createBoth(store: MemoryLeaseStore, row: Lease | undefined, lease: Lease): Promise<Lease> {
  const next = createRow(row, lease)
  await store.create(lease)
  expect(await store.get(lease.leaseKey)).to.deep.equal(frozenCopy(next))
  return next
}

async function replaceBoth(
  store: MemoryLeaseStore,
  row: Lease | undefined,
  before: Lease,
  random: Random
): Promise<Lease | undefined> {
  const after = pick(
    [
      claimed(before, pick(OWNERS, random)),
      checkpointed(before, aPosition(Math.floor(random.next() * 5))),
      released(before),
      finished(before, ['child'])
    ],
    random
  )
  const next = replaceRow(row, before, after)
  const outcome = await store.replace(before, after)
  expect(outcome.kind).to.equal(next === undefined ? 'refused' : 'written')
  // The table leaves out what is absent.
  expect(await store.get(before.leaseKey)).to.deep.equal(frozenCopy(next ?? row))
  return next ?? row
}

async function writeBoth(
  control: ControlStore,
  item: Member | undefined,
  session: string,
  random: Random
): Promise<Member | undefined> {
  const { hb: _, asgVer: __, ...report } = newcomer(session)
  const said: MemberReport = { ...report, ack: Math.floor(random.next() * 3) }
  const hb = Math.max(1, (item?.hb ?? 0) + Math.floor(random.next() * 3) - 1)
  const dice = random.next()
  if (dice < 0.3) {
    const next = joined(item, said)
    expect(await control.join(said)).to.deep.equal(next.answer)
    return next.item
  }
  if (dice < 0.9) {
    const next = beaten(item, said, hb)
    expect(await control.beat(said, hb)).to.deep.equal(next.answer)
    return next.item
  }
  const next = certified(item, hb, 'silent')
  expect(await control.certify(session, hb, 'silent')).to.equal(next.answer)
  return next.item
}

function aLock(before: LeaderLock | undefined, random: Random): LeaderLock {
  const term = (before?.term ?? 0) + Math.floor(random.next() * 2)
  return random.next() < 0.2 ? { term } : { who: pick(OWNERS, random), term }
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random.next() * from.length)] as T
}
