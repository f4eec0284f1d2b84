import { expect } from 'chai'
import { createColors } from 'picocolors'
import { statusPage } from '../../src/cli/status-page.ts'
import type { FleetStatus, LeaseStatus } from '../../src/operate/status-rules.ts'

const PLAIN = createColors(false)
const ALL = 2n ** 128n

function aStatus(shards: number, change: Partial<FleetStatus> = {}): FleetStatus {
  const leases = Array.from({ length: shards }, (_, n): LeaseStatus => {
    const [start, end] = [(ALL * BigInt(n)) / BigInt(shards), (ALL * BigInt(n + 1)) / BigInt(shards) - 1n]
    return {
      shardId: `shardId-${String(n).padStart(12, '0')}`,
      state: 'read',
      color: 'green',
      owner: n % 2 === 0 ? 'w1/a' : 'w2/b',
      workerId: n % 2 === 0 ? 'w1' : 'w2',
      checkpoint: `4968060206006398102861448068451530700885637159${String(n).padStart(10, '0')}`,
      counter: 5,
      hasPendingCheckpoint: false,
      hashKeyRange: { start: String(start), end: String(end) },
      parentShardIds: [],
      childShardIds: [],
      shard: 'open'
    }
  })
  const worker = { state: 'ACTIVE', color: 'green', leases: shards / 2, redShards: 0, reasons: [] } as const
  return {
    applicationName: 'printer',
    streamName: 'orders',
    leaseTable: 'printer',
    controlTable: 'millrace-control',
    atMs: 0,
    color: 'green',
    mode: 'solo',
    leader: { session: 'w1/a', workerId: 'w1', term: 3 },
    workers: [
      { workerId: 'w1', session: 'w1/a', isLeader: true, ...worker },
      { workerId: 'w2', session: 'w2/b', isLeader: false, silentMs: 1_200, ...worker }
    ],
    leases,
    holes: [],
    holds: [],
    moves: [],
    reasons: [],
    ...change
  }
}

const page = (status: FleetStatus, more: Partial<Parameters<typeof statusPage>[0]> = {}): string[] =>
  statusPage({ status, lag: undefined, columns: 120, colors: PLAIN, ...more })

describe('statusPage', () => {
  it('has no picture of hash keys where there are none', () => {
    const [, picture] = page(aStatus(2))
    expect(picture).to.match(/^A+B+$/)
    const leases = aStatus(2).leases.map(({ hashKeyRange: _, ...lease }) => lease)
    expect(page(aStatus(2, { leases }))[1]).to.equal('')
  })

  it('says who is there, who reads which part, and how far every shard is', () => {
    const lag = {
      atMs: 0,
      maxLagMs: 5_600,
      shards: [
        { shardId: 'shardId-000000000000', lagMs: 5_600 },
        { shardId: 'shardId-000000000001', problem: 'not allowed' }
      ]
    }
    const lines = page(aStatus(4), { lag })
    expect(lines[0]).to.equal('orders → printer  ● green  2 workers  4 leases  5.6 s behind')
    expect(lines[1]).to.match(/^A+B+A+B+$/)
    const text = lines.join('\n')
    expect(text).to.match(/^A {2}w1 {6}active, leads +2 +0 +-$/m)
    expect(text).to.match(/^B {2}w2 {6}active +2 +0 +1\.2 s$/m)
    expect(text).to.match(/^ +0 {2}read +w1 +5\.6 s {2}…\d{12}$/m)
    expect(text).to.match(/^ +1 {2}read +w2 +- {2}…\d{12} +not allowed$/m)
  })

  it('says what is red and why, in one line each, that steers no terminal', () => {
    const healthy = aStatus(4)
    const leases = healthy.leases.map((lease, n): LeaseStatus => {
      const reason = 'nobody reads it\n\u001b[2J'
      return n === 2 ? { ...lease, state: 'unowned', color: 'red', reason } : lease
    })
    const workers = healthy.workers.map((worker, n) =>
      n === 1 ? { ...worker, color: 'red' as const, redShards: 1, reasons: ['shard 3 is halted'] } : worker
    )
    const lines = page({ ...healthy, color: 'red', leases, workers, reasons: ['one', 'two'] })
    expect(lines[0]).to.include('● 2 red')
    expect(lines.join('\n')).to.include('nobody reads it\\n\\u001b[2J').and.include('shard 3 is halted')
    expect(lines[1]).to.include('!')
  })

  it('says why a shard is red beside the shard alone, in the place of its checkpoint where there is little room', () => {
    const healthy = aStatus(4)
    const reason = 'halted by TypeError; see the log of w2'
    const leases = healthy.leases.map((lease, n): LeaseStatus => (n === 3 ? { ...lease, color: 'red', reason } : lease))
    const reasons = [`shardId-000000000003 is ${reason}`, 'shardId-000000000009 is stalled']
    const workers = healthy.workers.map(worker => ({ ...worker, color: 'red' as const, redShards: 2, reasons }))
    const red = { ...healthy, color: 'red' as const, leases, workers }
    const wide = page(red, { columns: 120, rows: 30 })
    expect(wide.find(line => /^ +3 /.test(line))).to.match(/…\d{12} +halted by TypeError, see its log$/)
    const narrow = page(red, { columns: 70, rows: 30 })
    expect(narrow.find(line => /^ +3 /.test(line))).to.match(/- {2}halted by TypeError, see its log$/)
    for (const line of wide.filter(each => /^A {2}w1/.test(each))) expect(line).to.match(/- {2}shard 9 is stalled$/)
  })

  it('says what was ordered', () => {
    const lines = page(
      aStatus(4, {
        holds: [
          { id: 'h', why: 'repairs', by: 'me@host', isKept: true, beat: 0, leases: ['shardId-000000000001'] },
          { id: 'i', why: 'a reset', by: 'me@host', isKept: false, beat: 3, leases: 'all' }
        ],
        moves: [{ id: 'm', leaseKey: 'shardId-000000000002', to: 'w2', by: 'you' }]
      })
    )
    expect(lines).to.include.members([
      'on hold: shard 1, for repairs by me@host',
      'on hold: all shards, for a reset by me@host',
      'ordered to move: shard 2 to w2, by you'
    ])
  })

  it('shows everything where there is room without end, and fits a terminal otherwise, what is red first', () => {
    const many = aStatus(1_000)
    expect(page(many).length).to.be.greaterThan(1_000)
    const leases = many.leases.map(
      (lease, n): LeaseStatus =>
        n === 700 ? { ...lease, state: 'orphaned', color: 'red', reason: 'its owner is dead' } : lease
    )
    for (const [columns, rows] of [
      [80, 24],
      [200, 50],
      [60, 16]
    ] as const) {
      const lines = page({ ...many, leases }, { columns, rows })
      expect(lines.length, `${columns} x ${rows}`).to.be.at.most(rows)
      for (const line of lines) expect(line.length).to.be.at.most(columns)
      expect(
        lines.find(line => /^ +700 /.test(line)),
        `${columns} x ${rows}`
      ).to.include('orphaned')
      expect(lines.at(-1)).to.match(/^and \d+ more shards$/)
    }
  })

  it('cuts lines by what is seen of them, not by their colours', () => {
    const colors = createColors(true)
    const narrow = page(aStatus(4), { columns: 30, colors })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    const seen = narrow.map(line => line.replace(/\u001b\[[\d;]*m/g, ''))
    for (const line of seen) expect(Array.from(line).length).to.be.at.most(30)
    expect(narrow.some(line => line.includes('\u001b['))).to.equal(true)
  })

  it('counts finished shards only', () => {
    const status = aStatus(4)
    const leases = status.leases.map((lease, n): LeaseStatus => (n < 2 ? { ...lease, state: 'finished' } : lease))
    expect(page({ ...status, leases }).at(-1)).to.equal('and 2 finished')
  })

  it('is short where nobody ever was', () => {
    const lines = page(aStatus(0, { workers: [], color: 'red', reasons: ['there are no leases'] }))
    expect(lines.join('\n')).to.include('no workers')
  })
})
