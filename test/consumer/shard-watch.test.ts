import { expect } from 'chai'
import { ShardWatch } from '../../src/consumer/shard-watch.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const STALL_MS = 60_000

function aWatch() {
  const clock = new VirtualClock()
  const facts = { calledSinceMs: undefined as number | undefined, isStoringLetters: false, lacksRoom: false }
  const told: string[] = []
  const watch = new ShardWatch({
    stallMs: STALL_MS,
    calledSinceMs: () => facts.calledSinceMs,
    isStoringLetters: () => facts.isStoringLetters,
    lacksRoom: () => facts.lacksRoom,
    clock,
    listener: {
      stalled: ({ waitingFor, forMs, action }) => told.push(`${waitingFor} ${forMs / 1_000} ${action}`),
      progressed: () => told.push('progressed')
    }
  })
  /** Looks every five seconds. What is to be done, each time that something is. */
  const lookFor = async (seconds: number): Promise<string[]> => {
    const actions: string[] = []
    for (let s = 0; s < seconds; s += 5) {
      await clock.advance(5_000)
      const action = watch.look()
      if (action !== undefined) actions.push(action)
    }
    return actions
  }
  return { clock, facts, told, watch, lookFor }
}

describe('ShardWatch', () => {
  it('has reading begun anew, and then given up, if no answer comes', async () => {
    const { told, watch, lookFor } = aWatch()
    watch.reads()
    expect(await lookFor(55)).to.deep.equal([])
    expect(await lookFor(120)).to.deep.equal(['restart', 'release'])
    expect(told).to.deep.equal(['answer 60 restart', 'answer 120 release'])
    expect(watch.stall).to.include({ waitingFor: 'answer', action: 'release' })
  })

  it('counts anew from each answer, and not at all while nothing is waited for', async () => {
    const { told, watch, lookFor } = aWatch()
    expect(await lookFor(300)).to.deep.equal([])
    watch.reads()
    for (let i = 0; i < 10; i++) {
      expect(await lookFor(50)).to.deep.equal([])
      watch.answered()
      watch.reads()
    }
    watch.hasRead()
    watch.answered()
    expect(await lookFor(300)).to.deep.equal([])
    watch.reads()
    expect(await lookFor(55)).to.deep.equal([])
    expect(told).to.deep.equal([])
  })

  it('goes on counting where reading has begun anew, until an answer comes, and tells of that', async () => {
    const { told, watch, lookFor } = aWatch()
    watch.reads()
    await lookFor(60)
    watch.reads()
    await lookFor(30)
    watch.answered()
    await lookFor(5)
    expect(told).to.deep.equal(['answer 60 restart', 'progressed'])
    expect(watch.stall).to.equal(undefined)
  })

  it('only tells of what waits for room, and counts anew once there is some', async () => {
    const { facts, told, watch, lookFor } = aWatch()
    facts.lacksRoom = true
    watch.reads()
    expect(await lookFor(300)).to.deep.equal(['report'])
    facts.lacksRoom = false
    expect(await lookFor(60)).to.deep.equal([])
    expect(await lookFor(5)).to.deep.equal(['restart'])
    expect(told).to.deep.equal(['memory 60 report', 'progressed', 'answer 60 restart'])
  })

  it('tells of calls and of dead letters that take long', async () => {
    const { clock, facts, told, lookFor } = aWatch()
    facts.calledSinceMs = clock.monotonicMs()
    expect(await lookFor(200)).to.deep.equal(['report'])
    facts.isStoringLetters = true
    await lookFor(70)
    facts.calledSinceMs = undefined
    facts.isStoringLetters = false
    await lookFor(5)
    facts.isStoringLetters = true
    await lookFor(30)
    expect(told).to.deep.equal(['processor 60 report', 'dead-letters 60 report', 'progressed'])
  })
})
