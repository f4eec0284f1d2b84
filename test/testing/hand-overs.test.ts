import { expect } from 'chai'
import { HandOvers } from '../../src/testing/hand-overs.ts'

const SHARD = 'shard'

/** The hand-overs of a worker whose clock began at 500 when the world was 0. */
function theHandOvers(keepsMemory = false) {
  const time = { nowMs: 0 }
  const handOvers = new HandOvers(
    () => time.nowMs + 500,
    () => time.nowMs,
    keepsMemory
  )
  return { time, handOvers }
}

describe('HandOvers', () => {
  it('know nothing of a worker that just works', () => {
    const { handOvers } = theHandOvers()
    const nothing = { isAbandoned: false, askedAtMs: undefined, isHalted: false, resumedAtMs: undefined }
    expect(handOvers.lettingGo(SHARD)).to.deep.equal(nothing)
  })

  it('know when the grace of a stop is over, the shorter of two', () => {
    const { time, handOvers } = theHandOvers()
    time.nowMs = 100
    handOvers.stopping(40_000)
    time.nowMs = 200
    handOvers.stopping(30_000)
    expect(handOvers.lettingGo(SHARD)).to.include({ askedAtMs: 100, isAbandoned: false })
    time.nowMs = 30_199
    expect(handOvers.lettingGo(SHARD).isAbandoned).to.equal(false)
    time.nowMs = 30_200
    expect(handOvers.lettingGo(SHARD).isAbandoned).to.equal(true)
  })

  it('know since when a shard drains, and when that has taken too long', () => {
    const { time, handOvers } = theHandOvers()
    handOvers.stopping(3_600_000)
    time.nowMs = 1_000
    handOvers.revoked(SHARD)
    handOvers.failed('another')
    time.nowMs = 31_000
    expect(handOvers.lettingGo(SHARD)).to.include({ askedAtMs: 1_000, isAbandoned: true })
    expect(handOvers.lettingGo('another')).to.include({ askedAtMs: 1_000, isAbandoned: false })
    handOvers.taken(SHARD)
    expect(handOvers.lettingGo(SHARD)).to.include({ askedAtMs: 0, isAbandoned: false })
  })

  it('know which shards were halted, and when they went on', () => {
    const { time, handOvers } = theHandOvers()
    handOvers.halted(SHARD)
    expect(handOvers.lettingGo(SHARD)).to.include({ isHalted: true, isAbandoned: false })
    time.nowMs = 10
    handOvers.resumed(SHARD)
    expect(handOvers.lettingGo(SHARD)).to.include({ isHalted: false, resumedAtMs: 10 })
    handOvers.halts(SHARD)
    expect(handOvers.lettingGo(SHARD).isHalted).to.equal(true)
  })

  it('take the end of little patience for no halt', () => {
    const { handOvers } = theHandOvers()
    handOvers.revoked(SHARD)
    handOvers.halts(SHARD)
    expect(handOvers.lettingGo(SHARD).isHalted).to.equal(false)
  })

  it('know that a record processor is not asked once it has failed for good', () => {
    const { handOvers } = theHandOvers(true)
    handOvers.halted(SHARD)
    expect(handOvers.lettingGo(SHARD).isAbandoned).to.equal(true)
  })
})
