import { marshall } from '@aws-sdk/util-dynamodb'
import { expect } from 'chai'
import type { Mailbox, MemberReport } from '../../src/leases/control-store.ts'
import {
  assembled,
  beatOf,
  certificateOf,
  isDead,
  isPartOf,
  joiningOf,
  leavingOf,
  loadsOf,
  lockOf,
  mailboxWritesOf,
  type Parsed,
  parseLoads,
  parseLock,
  parseMailbox,
  parseMember,
  partKey,
  partKeysOf,
  removalOf,
  type StoredItem,
  supersedes,
  tellingOf
} from '../../src/leases/dynamo-control-item.ts'

const SESSION = 'orders-consumer-7d9f8b6c5-x2x4z/k3j9x0q2'
const report: MemberReport = {
  session: SESSION,
  workerId: 'orders-consumer-7d9f8b6c5-x2x4z',
  state: 'ACTIVE',
  ack: 1_000_000,
  applied: 1_000,
  evt: 1_000,
  led: 1_000_000,
  generation: 1_700_000_000_000,
  capacity: 1,
  maxLeases: 100,
  avoid: ['shardId-000000000001'],
  durationMs: 10_000
}
const mailbox: Mailbox = {
  session: SESSION,
  ver: 4,
  term: 2,
  mode: 'mixed',
  evt: 3,
  leases: ['a', 'b', 'c'],
  wait: ['b'],
  dead: ['x/1'],
  steal: ['c']
}

/** The item that a put writes, as it is read. */
const itemOf = ({ sk, attributes }: { sk: string; attributes: object }): StoredItem => ({
  pk: 'app',
  sk,
  ...attributes
})

/** What was read; fails the test for what cannot be. */
function read<T>(parsed: Parsed<T>): T {
  if (parsed.kind === 'unreadable') throw new Error(`Cannot be read: ${parsed.problem}`)
  return parsed.value
}

/** What is wrong with an item; fails the test if nothing is. */
function problemOf(parsed: Parsed<unknown>): string {
  if (parsed.kind === 'read') throw new Error(`Expected an item that cannot be read, got ${JSON.stringify(parsed)}`)
  return parsed.problem
}

describe('joiningOf', () => {
  it('writes an item that can be read back, if there is none', () => {
    const put = joiningOf(report)
    expect(put.condition?.ConditionExpression).to.equal('attribute_not_exists(#sk)')
    expect(read(parseMember(itemOf(put)))).to.deep.equal({ ...report, hb: 1, asgVer: 0 })
  })

  it('writes an item that takes one write unit', () => {
    const item = JSON.stringify(marshall({ ...itemOf(joiningOf(report)), pk: 'application-of-some-length' }))
    expect(item.length).to.be.lessThan(1_000)
  })
})

describe('beatOf', () => {
  it('writes everything that a session says, if it is alive and no later heartbeat has landed', () => {
    const { maxLeases: _, ...unlimited } = report
    const { sk, update, condition } = beatOf({ ...unlimited, avoid: [] }, 9)
    expect(sk).to.equal(`W#${SESSION}`)
    expect(update).to.equal(
      'SET #workerId = :workerId, #state = :state, #ack = :ack, #applied = :applied, #evt = :evt, #led = :led,' +
        ' #gen = :gen, #capacity = :capacity, #dur = :dur, #hb = :hb REMOVE #seen, #maxLeases, #avoid, #ord, #red, #why'
    )
    expect(condition.ConditionExpression).to.equal(
      'attribute_exists(#sk) AND attribute_not_exists(#dead) AND #hb < :limit_hb'
    )
    expect(condition.ExpressionAttributeValues).to.include({ ':hb': 9, ':limit_hb': 9, ':state': 'ACTIVE' })
  })
})

describe('leavingOf', () => {
  it('writes a certificate beside what the session says, if it is alive', () => {
    const { update, condition } = leavingOf(report)
    expect(update).to.match(/#state = :state.*#dead = :dead/)
    expect(condition.ConditionExpression).to.equal('attribute_exists(#sk) AND attribute_not_exists(#dead)')
    expect(condition.ExpressionAttributeValues).to.include({ ':dead': 'left' })
  })
})

describe('certificateOf', () => {
  it('writes a certificate and nothing else, if the session is alive and has not been heard since', () => {
    const { sk, update, condition } = certificateOf(SESSION, 7, 'silent')
    expect([sk, update]).to.deep.equal([`W#${SESSION}`, 'SET #dead = :dead'])
    expect(condition.ConditionExpression).to.equal(
      'attribute_exists(#sk) AND attribute_not_exists(#dead) AND #hb = :was_hb'
    )
    expect(condition.ExpressionAttributeValues).to.deep.equal({ ':dead': 'silent', ':was_hb': 7 })
  })
})

describe('tellingOf', () => {
  it('writes the version of a mailbox, if the session is alive and knows of none that is as new', () => {
    const { sk, update, condition } = tellingOf(mailbox)
    expect([sk, update]).to.deep.equal([`W#${SESSION}`, 'SET #asgVer = :asgVer'])
    expect(condition.ConditionExpression).to.equal(
      'attribute_exists(#sk) AND attribute_not_exists(#dead) AND #asgVer < :limit_asgVer'
    )
  })
})

describe('removalOf', () => {
  it('deletes what is dead or not there', () => {
    const { sk, condition } = removalOf(SESSION)
    expect(sk).to.equal(`W#${SESSION}`)
    expect(condition?.ConditionExpression).to.equal('attribute_not_exists(#sk) OR attribute_exists(#dead)')
  })
})

describe('parseMember', () => {
  const item: StoredItem = { pk: 'app', sk: 'W#a/1', workerId: 'a', state: 'ACTIVE', hb: 1 }

  it('does without everything but worker, state and heartbeat', () => {
    expect(read(parseMember(item))).to.deep.equal({
      session: 'a/1',
      workerId: 'a',
      state: 'ACTIVE',
      hb: 1,
      ack: 0,
      applied: 0,
      evt: 0,
      led: 0,
      generation: 0,
      capacity: 1,
      avoid: [],
      asgVer: 0
    })
  })

  it('reads what is wrong with shards, and how long the session lives', () => {
    const troubles = { count: 12, reasons: { 'shard-1': 'halted' } }
    const member = read(parseMember({ ...item, dur: 7_000, red: 12, why: { 'shard-1': 'halted' } }))
    expect(member).to.deep.include({ durationMs: 7_000, troubles })
    expect(read(parseMember(item))).to.not.have.any.keys('durationMs', 'troubles')
  })

  it('ignores what it does not know', () => {
    expect(read(parseMember({ ...item, cpu: 12.5, somethingNew: { a: [1] } }))).to.have.property('session', 'a/1')
  })

  it('takes for dead whoever has a certificate, in whatever words', () => {
    for (const [dead, expected] of [
      ['left', 'left'],
      ['gone', 'gone'],
      ['evicted', 'silent'],
      [true, 'silent'],
      [null, 'silent']
    ]) {
      expect(read(parseMember({ ...item, dead }))).to.have.property('dead', expected)
      expect(isDead({ ...item, dead })).to.equal(true)
    }
    expect(read(parseMember(item))).to.not.have.property('dead')
    expect(isDead(item)).to.equal(false)
  })

  const broken: readonly [string, StoredItem, string][] = [
    ['without a worker', { ...item, workerId: '' }, 'workerId is the string ""'],
    ['without a state', { sk: 'W#a/1', workerId: 'a', hb: 1 }, 'state is missing'],
    ['in an unknown state', { ...item, state: 'ASLEEP' }, 'state is the string "ASLEEP", expected ACTIVE or DRAINING'],
    ['without a heartbeat', { sk: 'W#a/1', workerId: 'a', state: 'ACTIVE' }, 'hb is missing'],
    ['with a heartbeat of text', { ...item, hb: '1' }, 'hb is the string "1"'],
    [
      'with troubles that are no texts',
      { ...item, red: 1, why: { a: 1 } },
      'why is of type Object, expected a map of strings'
    ],
    ['with a version below zero', { ...item, asgVer: -1 }, 'asgVer is the number -1'],
    ['with a list to avoid', { ...item, avoid: ['a'] }, 'avoid is of type Array'],
    ['without a session', { ...item, sk: 'W#' }, 'sk is the string "W#", expected W# and a session'],
    ['of another kind', { ...item, sk: 'A#a/1' }, 'sk is the string "A#a/1", expected W#'],
    ['without a key', { workerId: 'a', state: 'ACTIVE', hb: 1 }, 'sk is missing']
  ]
  for (const [name, unreadable, problem] of broken) {
    it(`cannot read an item ${name}, and says so`, () => {
      expect(problemOf(parseMember(unreadable))).to.include(problem)
    })
  }
})

describe('mailboxWritesOf', () => {
  it('writes one item that can be read back, if there is nothing newer', () => {
    const { parts, head } = mailboxWritesOf(mailbox, 300_000)
    expect(parts).to.deep.equal([])
    expect(head.sk).to.equal(`A#${SESSION}`)
    expect(head.condition?.ConditionExpression).to.equal(
      'attribute_not_exists(#sk) OR (#term <= :most_term AND #ver < :limit_ver)'
    )
    expect(head.condition?.ExpressionAttributeValues).to.deep.equal({ ':most_term': 2, ':limit_ver': 4 })
    expect(read(parseMailbox(itemOf(head)))).to.deep.equal({ mailbox, parts: 0 })
  })

  it('says that a leader of KCL assigns, and nothing where ours does', () => {
    const led: Mailbox = { ...mailbox, assigner: 'kcl' }
    const { head } = mailboxWritesOf(led, 1_000)
    expect(head.attributes).to.include({ asg: 'kcl' })
    expect(read(parseMailbox(itemOf(head)))).to.deep.equal({ mailbox: led, parts: 0 })
  })

  it('leaves out empty lists', () => {
    const empty: Mailbox = { ...mailbox, leases: [], wait: [], dead: [], steal: [] }
    const { head } = mailboxWritesOf(empty, 0)
    expect(head.attributes).to.deep.equal({ ver: 4, term: 2, mode: 'mixed', evt: 3 })
    expect(read(parseMailbox(itemOf(head)))).to.deep.equal({ mailbox: empty, parts: 0 })
  })

  for (const maxBytes of [0, 1, 2, 3, 5, 7]) {
    it(`splits lists of 8 bytes into parts of at most ${maxBytes}, and no id`, () => {
      const { parts, head } = mailboxWritesOf(mailbox, maxBytes)
      const parsedHead = read(parseMailbox(itemOf(head)))
      expect(parsedHead).to.deep.equal({
        mailbox: { ...mailbox, leases: [], wait: [], dead: [], steal: [] },
        parts: parts.length
      })
      expect(parts.map(({ sk }) => sk)).to.deep.equal(partKeysOf(parsedHead))
      expect(parts.every(({ condition }) => condition === undefined)).to.equal(true)
      for (const { attributes } of parts) {
        const ids = Object.values(attributes).flatMap(ids => [...(ids as Set<string>)])
        expect(ids.length === 1 || ids.join('').length <= maxBytes).to.equal(true)
      }
      expect(read(assembled(parsedHead, parts.map(itemOf)))).to.deep.equal(mailbox)
      expect(read(assembled(parsedHead, parts.map(itemOf).reverse()))).to.deep.equal(mailbox)
    })
  }

  it('counts bytes, not characters', () => {
    expect(mailboxWritesOf({ ...mailbox, leases: ['é', 'ö'], wait: [], dead: [], steal: [] }, 3).parts).to.have.length(
      2
    )
    expect(mailboxWritesOf({ ...mailbox, leases: ['é', 'ö'], wait: [], dead: [], steal: [] }, 4).parts).to.have.length(
      0
    )
  })

  it('gives each term and version parts of its own', () => {
    const keys = [mailbox, { ...mailbox, term: 3 }, { ...mailbox, ver: 5 }].flatMap(other =>
      mailboxWritesOf(other, 5).parts.map(({ sk }) => sk)
    )
    expect(new Set(keys).size).to.equal(keys.length)
  })
})

describe('parseMailbox', () => {
  const item: StoredItem = { sk: 'A#a/1', ver: 1, term: 1, mode: 'solo' }
  const broken: readonly [string, StoredItem, string][] = [
    ['without a version', { sk: 'A#a/1', term: 1, mode: 'solo' }, 'ver is missing'],
    ['without a term', { sk: 'A#a/1', ver: 1, mode: 'solo' }, 'term is missing'],
    ['of an unknown mode', { ...item, mode: 'duo' }, 'mode is the string "duo", expected solo or mixed'],
    ['with a list', { ...item, leases: ['a'] }, 'leases is of type Array'],
    ['with half a part', { ...item, parts: 0.5 }, 'parts is the number 0.5'],
    ['of a session', { ...item, sk: 'W#a/1' }, 'sk is the string "W#a/1", expected A#']
  ]
  for (const [name, unreadable, problem] of broken) {
    it(`cannot read an item ${name}, and says so`, () => {
      expect(problemOf(parseMailbox(unreadable))).to.include(problem)
    })
  }
})

describe('assembled', () => {
  it('says what is wrong with a part', () => {
    const head = { mailbox, parts: 1 }
    expect(problemOf(assembled(head, [{ sk: partKey(mailbox, 0), leases: 'a' }]))).to.include(
      'leases is the string "a"'
    )
  })
})

describe('supersedes', () => {
  it('is true of later versions by the same leader or a later one', () => {
    const by = (term: number, ver: number): Mailbox => ({ ...mailbox, term, ver })
    expect(supersedes(by(2, 5), by(2, 4))).to.equal(true)
    expect(supersedes(by(3, 5), by(2, 4))).to.equal(true)
    for (const [term, ver] of [
      [2, 4],
      [3, 4],
      [3, 3],
      [1, 5]
    ] as const) {
      expect(supersedes(by(term, ver), by(2, 4))).to.equal(false)
    }
  })
})

describe('isPartOf', () => {
  it('tells the parts of a session from those of one with a longer name', () => {
    expect(isPartOf('a', partKey({ session: 'a', term: 1, ver: 22 }, 333))).to.equal(true)
    expect(isPartOf('a', partKey({ session: 'a#b', term: 1, ver: 2 }, 3))).to.equal(false)
    expect(isPartOf('a', partKey({ session: 'a#1.2.3', term: 1, ver: 2 }, 3))).to.equal(false)
    expect(isPartOf('a#1.2.3', partKey({ session: 'a#1.2.3', term: 1, ver: 2 }, 3))).to.equal(true)
    expect(isPartOf('a', 'A#a#1.2.3')).to.equal(false)
  })
})

describe('lockOf', () => {
  it('writes a lock that can be read back, if there was none or it is the one seen', () => {
    const first = lockOf(undefined, { who: 'a/1', term: 1 })
    expect(first.condition?.ConditionExpression).to.equal('attribute_not_exists(#sk)')
    expect(read(parseLock(itemOf(first)))).to.deep.equal({ who: 'a/1', term: 1 })
    const resigned = lockOf({ who: 'a/1', term: 1 }, { term: 1 })
    expect(resigned.condition?.ConditionExpression).to.equal('#who = :was_who AND #term = :was_term')
    expect(read(parseLock(itemOf(resigned)))).to.deep.equal({ term: 1 })
    const next = lockOf({ term: 1 }, { who: 'b/1', term: 2 })
    expect(next.condition?.ConditionExpression).to.equal('attribute_not_exists(#who) AND #term = :was_term')
  })
})

describe('parseLock', () => {
  it('cannot read one without a term', () => {
    expect(problemOf(parseLock({ sk: 'L', who: 'a/1' }))).to.include('term is missing')
    expect(problemOf(parseLock({ sk: 'L', who: 5, term: 1 }))).to.include('who is the number 5')
  })
})

describe('loadsOf', () => {
  it('writes loads that can be read back, to three decimals, and leaves out what is no number', () => {
    const put = loadsOf(SESSION, { a: 1.23456789, b: 0, c: Number.NaN, d: Number.POSITIVE_INFINITY, e: 1e-9 })
    expect(put.sk).to.equal(`T#${SESSION}`)
    expect(read(parseLoads(itemOf(put)))).to.deep.equal({ a: 1.235, b: 0, e: 0 })
  })
})

describe('parseLoads', () => {
  it('cannot read what is no map of numbers', () => {
    expect(problemOf(parseLoads({ sk: 'T#a' }))).to.include('loads is missing')
    for (const loads of ['a', 5, null, ['a'], new Set(['a']), { a: 'b' }, { a: 1, b: { c: 1 } }]) {
      expect(problemOf(parseLoads({ sk: 'T#a', loads }))).to.include('expected a map of numbers')
    }
    expect(read(parseLoads({ sk: 'T#a', loads: {} }))).to.deep.equal({})
  })
})
