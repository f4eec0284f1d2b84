import { expect } from 'chai'
import type { RunSnapshot } from '../../src/cli/run-board.ts'
import { type FrameColors, runFrame } from '../../src/cli/run-frame-rules.ts'

const plain = (text: string): string => text
const PLAIN: FrameColors = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain }

function aSnapshot(shards: number, change: Partial<RunSnapshot> = {}): RunSnapshot {
  const ids = Array.from({ length: shards }, (_, n) => `shardId-${String(n).padStart(12, '0')}`)
  return {
    streamName: 'orders',
    applicationName: 'printer',
    elapsedMs: 65_000,
    health: {
      color: 'green',
      state: 'running',
      paused: false,
      shards: ids.map(shardId => ({
        shardId,
        streamName: 'orders',
        color: 'green',
        state: 'processing',
        paused: false
      }))
    },
    records: 12_345,
    bytes: 5_000_000,
    perSecond: 412,
    bytesPerSecond: 1_200_000,
    millisBehindLatest: 1_500,
    shards: ids.map((shardId, n) => ({
      shardId,
      streamName: 'orders',
      records: n,
      perSecond: 1,
      millisBehindLatest: n,
      isHeld: true
    })),
    happenings: [],
    ...change
  }
}

describe('runFrame', () => {
  it('has totals and a line a shard', () => {
    const lines = runFrame(aSnapshot(3), { columns: 100, rows: 30 }, PLAIN).split('\n')
    expect(lines[0]).to.match(/^orders → printer {2,}.*running {2}1 m 5 s$/)
    expect(lines[1]).to.include('12,345 records   412/s   1.20 MB/s   1.5 s behind   3 shards')
    expect(lines.slice(4).map(line => line.split(/\s+/)[0])).to.deep.equal(['2', '1', '0'])
  })

  it('fits the terminal, whatever there is', () => {
    const happenings = Array.from({ length: 20 }, (_, n) => ({
      atMs: 0,
      level: 'warn' as const,
      text: `something ${n} ${'long '.repeat(50)}\u001b[2J\nwith lines`
    }))
    for (const [columns, rows, shards] of [
      [60, 12, 1_000],
      [80, 24, 64],
      [200, 50, 4],
      [60, 12, 0]
    ] as const) {
      const lines = runFrame(aSnapshot(shards, { happenings }), { columns, rows }, PLAIN).split('\n')
      expect(lines.length, `${columns} x ${rows}, ${shards}`).to.be.at.most(rows)
      for (const line of lines) expect(line.length).to.be.below(columns)
    }
    const many = runFrame(aSnapshot(1_000), { columns: 60, rows: 12 }, PLAIN)
    expect(many).to.match(/and 99\d more shards/)
    expect(many).to.not.include('\u001b')
  })

  it('has the red shards first, with their reasons, in red', () => {
    const healthy = aSnapshot(3)
    const health = {
      ...healthy.health,
      color: 'red' as const,
      shards: healthy.health.shards.map((shard, n) =>
        n === 0 ? { ...shard, color: 'red' as const, state: 'halted' as const, reason: 'halted: no 77\nplease' } : shard
      )
    }
    const red = (text: string): string => `<${text.trim()}>`
    const lines = runFrame({ ...healthy, health }, { columns: 120, rows: 30 }, { ...PLAIN, red }).split('\n')
    expect(lines[1]).to.match(/^<.*1 red>$/)
    expect(lines[4]).to.match(/^<0 +halted .*halted: no 77\\nplease>$/)
    expect(lines[5]).to.match(/^2 +processing/)
  })
})
