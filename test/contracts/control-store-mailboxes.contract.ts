// The part of the contract of the control store that is about mailboxes, also those that are too large for one item.
import { expect } from 'chai'
import type { ControlStore, Mailbox } from '../../src/leases/control-store.ts'
import { pollUntil } from '../support/poll.ts'
import { aMailbox, aReport, type Stores } from './control-store-world.ts'

const SESSION = 'worker-1/x7k2'

/** A mailbox in which nothing is as in an empty one. */
const full = aMailbox(SESSION, {
  ver: 7,
  term: 3,
  mode: 'mixed',
  assigner: 'kcl',
  evt: 11,
  leases: ['shardId-000000000001', 'shardId-000000000002', 'shardId-000000000003'],
  wait: ['shardId-000000000002'],
  dead: ['worker-2/1', 'worker-3/1'],
  steal: ['shardId-000000000003']
})

/** A mailbox that says its version in each of `count` leases, which take 40 bytes each. */
function large(ver: number, count: number): Mailbox {
  const leases = Array.from({ length: count }, (_, index) => `v${ver}-${String(index).padStart(36, '0')}`).sort()
  return aMailbox(SESSION, { ver, leases, wait: leases.slice(0, 3), dead: [`dead of ${ver}`] })
}

/** Posts, and says what the session is told and what its mailbox is then. */
async function posted(store: ControlStore, mailbox: Mailbox) {
  const accepted = await store.post(mailbox)
  const { session } = mailbox
  return { accepted, told: (await store.member(session))?.asgVer, ver: (await store.mailbox(session))?.ver }
}

/** The part of the contract that is about mailboxes. */
export function describeMailboxes(stores: Stores, manyLeases: number): void {
  describePost(stores)
  describeVersions(stores)
  describeTelling(stores)
  describeLargeMailboxes(stores, manyLeases)
}

function describePost(stores: Stores): void {
  describe('post', () => {
    it('writes a mailbox with everything in it', async () => {
      const { store, sameItems } = stores()
      expect(await sameItems.mailbox(SESSION)).to.equal(undefined)
      expect(await store.post(full)).to.equal(true)
      expect(await sameItems.mailbox(SESSION)).to.deep.equal(full)
      expect(await sameItems.mailboxes()).to.deep.equal([full])
    })

    it('replaces everything', async () => {
      const { store } = stores()
      await store.post(full)
      const empty = aMailbox(SESSION, { ver: 8, term: 3 })
      expect(await store.post(empty)).to.equal(true)
      expect(await store.mailbox(SESSION)).to.deep.equal(empty)
      expect(await store.post({ ...full, ver: 9 })).to.equal(true)
      expect(await store.mailbox(SESSION)).to.deep.equal({ ...full, ver: 9 })
    })

    it('keeps lists as sets, in ascending order, and copies of them', async () => {
      const { store } = stores()
      const ids = ['c', 'a', 'b', 'a']
      await store.post(aMailbox(SESSION, { leases: ids, wait: ids, dead: ids, steal: ids }))
      ids.push('d')
      const { leases, wait, dead, steal } = (await store.mailbox(SESSION)) ?? full
      expect([leases, wait, dead, steal]).to.deep.equal(Array(4).fill(['a', 'b', 'c']))
    })

    it('is about one session', async () => {
      const { store } = stores()
      const sessions = ['a', 'a#1.1.0', 'a#1', '__proto__', 'A#a']
      for (const session of sessions) await store.post({ ...full, session, leases: [`lease of ${session}`, 'b', 'c'] })
      for (const session of sessions) expect((await store.mailbox(session))?.leases[2]).to.equal(`lease of ${session}`)
      expect((await store.mailboxes()).map(({ session }) => session)).to.have.members(sessions)
    })
  })
}

function describeVersions(stores: Stores): void {
  describe('post, by version and term', () => {
    it('is refused to an older version, to the same one with something else in it, and to an older term', async () => {
      const { store } = stores()
      await store.post(full)
      const others: readonly Partial<Mailbox>[] = [
        { ver: 6 },
        { ver: 7, evt: 12 },
        { ver: 7, leases: ['shardId-000000000001'] },
        { ver: 7, term: 4 },
        { ver: 6, term: 4 },
        { ver: 8, term: 2 },
        { ver: 100, term: 1 }
      ]
      for (const other of others) expect(await store.post({ ...full, ...other })).to.equal(false)
      expect(await store.mailboxes()).to.deep.equal([full])
    })

    it('succeeds again when its answer was lost, whatever the order of the lists', async () => {
      const { store } = stores()
      await store.post(full)
      expect(await store.post({ ...full, leases: [...full.leases].reverse() })).to.equal(true)
      expect(await store.mailboxes()).to.deep.equal([full])
    })

    it('lets a new leader go on from the version that is there, and refuses what the old one sends late', async () => {
      const { store, sameItems: deposed } = stores()
      await store.join(aReport(SESSION))
      const of = (term: number, ver: number) => aMailbox(SESSION, { term, ver, leases: [`by ${term}`] })
      expect(await posted(deposed, of(1, 1))).to.deep.equal({ accepted: true, told: 1, ver: 1 })
      expect(await posted(store, of(2, 2))).to.deep.equal({ accepted: true, told: 2, ver: 2 })
      expect(await posted(deposed, of(1, 2))).to.deep.equal({ accepted: false, told: 2, ver: 2 })
      expect(await posted(deposed, of(1, 3))).to.deep.equal({ accepted: false, told: 2, ver: 2 })
      expect(await posted(store, of(2, 3))).to.deep.equal({ accepted: true, told: 3, ver: 3 })
      expect((await store.mailbox(SESSION))?.leases).to.deep.equal(['by 2'])
    })

    it('leaves the mailbox of the later leader when two post at once', async () => {
      const { store, sameItems } = stores()
      for (let round = 0; round < 10; round++) {
        const session = `worker-${round}/1`
        await store.join(aReport(session))
        const leases = (who: string) => ['a', 'b', 'c'].map(lease => `${who} ${lease} ${'-'.repeat(30)}`)
        const older = aMailbox(session, { term: 1, ver: 1, leases: leases('older') })
        const newer = aMailbox(session, { term: 2, ver: 2, leases: leases('newer') })
        const posts = [() => store.post(older), () => sameItems.post(newer)]
        if (round % 2 === 1) posts.reverse()
        const outcomes = await Promise.all(posts.map(post => post()))
        expect(outcomes[1 - (round % 2)]).to.equal(true)
        expect(await store.mailbox(session)).to.deep.equal(newer)
        expect((await store.member(session))?.asgVer).to.equal(2)
      }
    })
  })
}

function describeTelling(stores: Stores): void {
  describe('post, to a session', () => {
    it('tells it of the version, and never of an older one again', async () => {
      const { store } = stores()
      await store.join(aReport(SESSION))
      for (const ver of [1, 2, 5]) {
        expect(await posted(store, aMailbox(SESSION, { ver }))).to.deep.equal({ accepted: true, told: ver, ver })
      }
      await store.beat(aReport(SESSION, { applied: 5 }), 2)
      expect(await posted(store, aMailbox(SESSION, { ver: 4 }))).to.deep.equal({ accepted: false, told: 5, ver: 5 })
    })

    it('does not tell one that is dead, nor make an item for one that has none', async () => {
      const { store } = stores()
      await store.join(aReport('dead/1'))
      await store.leave(aReport('dead/1'))
      expect(await posted(store, aMailbox('dead/1'))).to.deep.equal({ accepted: true, told: 0, ver: 1 })
      expect(await posted(store, aMailbox(SESSION))).to.deep.equal({ accepted: true, told: undefined, ver: 1 })
      expect((await store.members()).map(({ session }) => session)).to.deep.equal(['dead/1'])
    })

    it('tells one that joined after the mailbox was written, when it is posted again', async () => {
      const { store } = stores()
      await store.post(full)
      await store.join(aReport(SESSION))
      expect(await posted(store, full)).to.deep.equal({ accepted: true, told: 7, ver: 7 })
    })
  })
}

function describeLargeMailboxes(stores: Stores, manyLeases: number): void {
  describe('post, of large mailboxes', () => {
    it('writes mailboxes larger than any item, replaces them by others, and forgets them', async () => {
      const { store, sameItems } = stores()
      await store.join(aReport(SESSION))
      for (const [ver, count] of [5, manyLeases, 3, manyLeases - 10, 0].entries()) {
        const mailbox = large(ver + 1, count)
        expect(await store.post(mailbox)).to.equal(true)
        expect(await store.post(mailbox)).to.equal(true)
        expect(await store.post({ ...mailbox, evt: 5 })).to.equal(false)
        expect(await sameItems.mailbox(SESSION)).to.deep.equal(mailbox)
        expect(await sameItems.mailboxes()).to.deep.equal([mailbox])
      }
      await store.leave(aReport(SESSION))
      await store.forget(SESSION)
      expect(await store.mailboxes()).to.deep.equal([])
    }).timeout(120_000)

    it('are never read half old, half new', async () => {
      const { store, sameItems } = stores()
      const version = (ver: number) => large(ver, 6 + (ver % 3) * 2)
      await store.post(version(1))
      let isPosting = true
      let newest = 1
      const posting = (async () => {
        for (let ver = 2; ver <= 6; ver++) {
          await store.post(version(ver))
          await pollUntil('the mailbox to be read', () => newest === ver)
        }
        isPosting = false
      })()
      while (isPosting) {
        const read = [await sameItems.mailbox(SESSION), ...(await sameItems.mailboxes())]
        for (const mailbox of read) {
          const { ver } = mailbox ?? { ver: -1 }
          expect(mailbox).to.deep.equal(version(ver))
          expect(ver).to.be.at.least(newest)
          newest = ver
        }
        // A store in memory answers without letting the timers of others run.
        await new Promise(resolve => setImmediate(resolve))
      }
      await posting
      expect(await sameItems.mailbox(SESSION)).to.deep.equal(version(6))
    })
  })
}
