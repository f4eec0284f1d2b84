import { expect } from 'chai'
import { tableCalls } from '../../src/dynamo/dynamo-client.ts'
import { prepareTable } from '../../src/dynamo/dynamo-table.ts'
import type { Mailbox } from '../../src/leases/control-store.ts'
import {
  CONTROL_TABLE_KEY,
  mailboxKey,
  mailboxWritesOf,
  type Parsed,
  PREFIX,
  partKey,
  sortKeyOf
} from '../../src/leases/dynamo-control-item.ts'
import { mailboxesOf } from '../../src/leases/dynamo-mailboxes.ts'
import { type Partition, partitionOf } from '../../src/leases/dynamo-partition.ts'
import { ThrottledError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { aMailbox, rejectionOf } from '../contracts/control-store-world.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { uniqueName } from '../support/streams.ts'

const SESSION = 'worker-1/1'
const MAX_BYTES = 4

/** A mailbox of three parts: four leases of three bytes, and one dead session of three. */
const split = (ver: number, term = 1): Mailbox =>
  aMailbox(SESSION, { ver, term, leases: [`a${ver}${term}`, `b${ver}${term}`], dead: [`x${ver}${term}`] })

describe('mailboxesOf', () => {
  const tableName = uniqueName('control')
  let close: () => void
  let partition: Partition
  let open: (applicationName: string) => Partition
  let unreadable: string[]
  let left: unknown[]

  before(async () => {
    const client = (await sharedDynalite()).clientConfig()
    const calls = tableCalls({ tableName, client, clock: systemClock, requestTimeoutMs: 5_000 })
    await prepareTable({ tableName }, CONTROL_TABLE_KEY, { calls, clock: systemClock, logger: silentLogger })
    open = applicationName => partitionOf(calls, applicationName)
    close = calls.close
  })

  beforeEach(() => {
    partition = open(uniqueName('application'))
    unreadable = []
    left = []
  })

  after(() => close())

  /** Mailboxes over the partition, in which some calls are other ones. */
  const mailboxesOver = (other: Partial<Partition> = {}) =>
    mailboxesOf({
      partition: { ...partition, ...other },
      maxBytes: MAX_BYTES,
      readable: <T>(parsed: Parsed<T>) => {
        if (parsed.kind === 'read') return parsed.value
        unreadable.push(`${parsed.sk}: ${parsed.problem}`)
        return undefined
      },
      leftBehind: (_, error) => left.push(error)
    })
  const partsThere = async () => (await partition.readAll(PREFIX.mailboxPart)).map(sortKeyOf)
  const failing = async (): Promise<never> => {
    throw new ThrottledError('slow down')
  }

  it('deletes the parts that a newer mailbox has no use for', async () => {
    const mailboxes = mailboxesOver()
    await mailboxes.post(split(1))
    expect(await partsThere()).to.deep.equal([0, 1, 2].map(index => partKey(split(1), index)))
    await mailboxes.post(split(2))
    expect(await partsThere()).to.deep.equal([0, 1, 2].map(index => partKey(split(2), index)))
    await mailboxes.post(aMailbox(SESSION, { ver: 3 }))
    expect(await partsThere()).to.deep.equal([])
  })

  it('has posted a mailbox even if the parts of the old one cannot be deleted, and forgets them with the rest', async () => {
    await mailboxesOver().post(split(1))
    const mailboxes = mailboxesOver({ remove: failing })
    expect(await mailboxes.post(split(2))).to.equal(true)
    expect(left).to.have.length(1)
    expect(await mailboxes.mailbox(SESSION)).to.deep.equal(split(2))
    expect(await partsThere()).to.have.length(6)
    await mailboxesOver().removeMailbox(SESSION)
    expect(await partsThere()).to.deep.equal([])
    expect(await mailboxes.mailboxes()).to.deep.equal([])
  })

  it('keeps the mailbox in force whole while a leader that crashes has written half of the next', async () => {
    await mailboxesOver().post(split(1))
    let puts = 0
    const crashing = mailboxesOver({ put: put => (++puts > 2 ? failing() : partition.put(put)) })
    expect(await rejectionOf(crashing.post(split(2)))).to.be.instanceOf(ThrottledError)
    expect(await mailboxesOver().mailbox(SESSION)).to.deep.equal(split(1))
    expect(await mailboxesOver().mailboxes()).to.deep.equal([split(1)])
    expect(await mailboxesOver().post(split(2, 2))).to.equal(true)
    expect(await mailboxesOver().mailbox(SESSION)).to.deep.equal(split(2, 2))
  })

  it('writes no parts of what will be refused, so that those in force stay what they are', async () => {
    const mailboxes = mailboxesOver()
    await mailboxes.post(split(2, 2))
    const before = await partition.readAll(PREFIX.mailboxPart)
    expect(await mailboxes.post({ ...split(2, 2), leases: ['other', 'still'] })).to.equal(false)
    expect(await mailboxes.post(split(3, 1))).to.equal(false)
    expect(await partition.readAll(PREFIX.mailboxPart)).to.deep.equal(before)
  })

  it('reads the head again if its parts have been replaced meanwhile', async () => {
    const mailboxes = mailboxesOver()
    await mailboxes.post(split(1))
    let hasBeenReplaced = false
    const racing = mailboxesOver({
      async read(sk, options) {
        const item = await partition.read(sk, options)
        if (hasBeenReplaced) return item
        hasBeenReplaced = true
        await mailboxes.post(split(2))
        return item
      }
    })
    expect(await racing.mailbox(SESSION)).to.deep.equal(split(2))
    hasBeenReplaced = false
    const listing = mailboxesOver({
      async readAll(prefix, options) {
        const items = await partition.readAll(prefix, options)
        await mailboxes.post(split(3))
        return items
      }
    })
    expect(await listing.mailboxes()).to.deep.equal([split(3)])
    expect(unreadable).to.deep.equal([])
  })

  it('takes a mailbox whose parts are gone for one that cannot be read, and replaces it like any other', async () => {
    const mailboxes = mailboxesOver()
    await mailboxes.post(split(1))
    await mailboxes.post({ ...split(1), session: 'other/1' })
    await partition.remove({ sk: partKey(split(1), 1) })
    expect(await mailboxes.mailbox(SESSION)).to.equal(undefined)
    expect(unreadable).to.deep.equal([`${mailboxKey(SESSION)}: parts of it are missing or cannot be read`])
    expect((await mailboxes.mailboxes()).map(({ session }) => session)).to.deep.equal(['other/1'])
    expect(await mailboxes.post(split(2))).to.equal(true)
    expect(await mailboxes.mailbox(SESSION)).to.deep.equal(split(2))
  })

  it('takes a part that cannot be read for one that is gone', async () => {
    const mailboxes = mailboxesOver()
    await mailboxes.post(split(1))
    await partition.put({ sk: partKey(split(1), 1), attributes: { leases: 'a' } })
    expect(await mailboxes.mailbox(SESSION)).to.equal(undefined)
    expect(unreadable[0]).to.include('leases is the string "a"')
  })

  it('skips a head that cannot be read, and does not replace it', async () => {
    const mailboxes = mailboxesOver()
    await partition.put({ sk: mailboxKey(SESSION), attributes: { ver: 1 } })
    await mailboxes.post({ ...split(1), session: 'other/1' })
    expect(await mailboxes.mailbox(SESSION)).to.equal(undefined)
    expect((await mailboxes.mailboxes()).map(({ session }) => session)).to.deep.equal(['other/1'])
    expect(unreadable[0]).to.include('term is missing')
    expect(await mailboxes.post(split(9))).to.equal(false)
  })

  it('takes a head that landed without an answer for its own', async () => {
    const mailboxes = mailboxesOver({
      async put(put) {
        const outcome = await partition.put(put)
        if (put.sk === mailboxKey(SESSION) && outcome.kind === 'written') return failing()
        return outcome
      }
    })
    for (const mailbox of [aMailbox(SESSION, { ver: 1, leases: ['a'] }), split(2)]) {
      expect(await rejectionOf(mailboxes.post(mailbox))).to.be.instanceOf(ThrottledError)
      expect(await mailboxes.post(mailbox)).to.equal(true)
      expect(await mailboxes.mailbox(SESSION)).to.deep.equal(mailbox)
    }
  })

  it('makes parts only of what is too long', () => {
    expect(mailboxWritesOf(aMailbox(SESSION, { leases: ['abcd'] }), MAX_BYTES).parts).to.deep.equal([])
    expect(mailboxWritesOf(split(1), MAX_BYTES).parts).to.have.length(3)
  })
})
