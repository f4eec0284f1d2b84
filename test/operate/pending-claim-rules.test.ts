import { expect } from 'chai'
import type { Mailbox, Member } from '../../src/leases/control-store.ts'
import { type ClaimFacts, pendingClaims } from '../../src/operate/pending-claim-rules.ts'
import { aMember, session } from '../fleet/fleet-model.ts'
import { shardId } from '../support/builders.ts'

const [A, B] = [session('a'), session('b')]
const [S0, S1] = [shardId(0), shardId(1)]

const aMailbox = (owner: string, ver: number, leases: readonly string[] = []): Mailbox => ({
  ...{ session: owner, ver, term: 1, mode: 'solo', wait: [], dead: [], steal: [], evt: 0 },
  leases
})

const leading: Member = aMember('a', { orders: 5, seen: 3 })
const pending = (with_: Partial<ClaimFacts> = {}) =>
  pendingClaims({
    ...{ lock: { who: A, term: 1 }, mailboxes: [], members: [leading, aMember('b', { seen: 2 })], ordersVer: 5 },
    isWanted: leaseKey => leaseKey === S0,
    ...with_
  })

describe('pendingClaims', () => {
  it('finds nobody once the leader leads by the orders, and all sessions have what it wrote by them', () => {
    const mailboxes = [aMailbox(A, 3, [S1]), aMailbox(B, 2)]
    expect(pending({ mailboxes })).to.deep.equal({ claimants: [], isLeaderBehind: false })
  })

  it('finds a session that is to have one of the leases, and one that may be at an older mailbox still', () => {
    expect(pending({ mailboxes: [aMailbox(A, 3, [S0, S1]), aMailbox(B, 2)] }).claimants).to.deep.equal([A])
    expect(pending({ mailboxes: [aMailbox(A, 3), aMailbox(B, 3)] }).claimants).to.deep.equal([B])
    const silent = [leading, aMember('b')]
    expect(pending({ mailboxes: [aMailbox(B, 3)], members: silent }).claimants, 'it never said').to.deep.equal([B])
  })

  it('waits for a leader that leads by older orders, and for one where there is none', () => {
    expect(pending({ members: [aMember('a', { orders: 4 })] }).isLeaderBehind).to.equal(true)
    expect(pending({ lock: { term: 2 } }).isLeaderBehind, 'nobody leads').to.equal(true)
    expect(pending({ lock: { who: B, term: 2 } }).isLeaderBehind, 'what the one before said').to.equal(true)
    expect(pending({ members: [{ ...leading, dead: 'silent' }, aMember('b')] }).isLeaderBehind).to.equal(true)
  })

  it('waits for nobody where nobody lives', () => {
    const members: Member[] = [{ ...leading, dead: 'silent' }]
    expect(pending({ members, mailboxes: [aMailbox(A, 9, [S0])] })).to.deep.equal({
      claimants: [],
      isLeaderBehind: false
    })
  })
})
