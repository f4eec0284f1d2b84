import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { HeartbeatMemory } from '../../src/fleet/heartbeat-memory.ts'

describe('HeartbeatMemory', () => {
  it('begins without proof, and with nothing sent', () => {
    expect(new HeartbeatMemory().progress).to.deep.equal({ hb: 0, ack: 0, provedAtMs: Number.NEGATIVE_INFINITY })
  })

  it('is seen by whoever has its buffer, exactly', () => {
    const here = new HeartbeatMemory()
    const there = new HeartbeatMemory(here.buffer)
    there.progress = { hb: 3, ack: 2, provedAtMs: 123_456_789.000_001 }
    here.tickAtMs = 0.1
    expect(here.progress).to.deep.equal({ hb: 3, ack: 2, provedAtMs: 123_456_789.000_001 })
    expect([here.provedAtMs, there.tickAtMs]).to.deep.equal([123_456_789.000_001, 0.1])
  })

  it('is that of one session only', () => {
    const first = new HeartbeatMemory()
    first.progress = { hb: 1, ack: 1, provedAtMs: 5 }
    expect(new HeartbeatMemory().provedAtMs).to.equal(Number.NEGATIVE_INFINITY)
    expect(first.provedAtMs).to.equal(5)
  })

  it('is never seen half written by another thread', async () => {
    const memory = new HeartbeatMemory()
    // Two numbers whose halves differ, in turn, as fast as it goes.
    const code = `
      const { workerData } = require('node:worker_threads')
      const cells = new BigInt64Array(workerData)
      const bits = new BigInt64Array(new Float64Array([1.1, -2.2e200]).buffer)
      for (let turn = 0; turn < 3_000_000; turn++) Atomics.store(cells, 2, bits[turn % 2])`
    const writer = new Worker(code, { eval: true, workerData: memory.buffer })
    let isOver = false
    writer.once('exit', () => {
      isOver = true
    })
    const seen = new Set<number>()
    while (!isOver) {
      for (let look = 0; look < 100_000; look++) seen.add(memory.provedAtMs)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect([...seen].filter(value => ![Number.NEGATIVE_INFINITY, -2.2e200, 1.1].includes(value))).to.deep.equal([])
    expect(seen.size).to.be.greaterThan(1)
  })
})
