import { getEventListeners } from 'node:events'
import { expect } from 'chai'
import { SessionProof } from '../../src/leases/session-proof.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const VALID_MS = 8_000

/** A proof, and when the newest heartbeat of it was sent. */
function aProof(provedAtMs = 0) {
  const clock = new VirtualClock()
  const told: string[] = []
  const heart = { provedAtMs }
  const proof = new SessionProof({
    clock,
    validMs: VALID_MS,
    provedAtMs: () => heart.provedAtMs,
    lapsed: () => told.push(`lapsed at ${clock.monotonicMs()}`),
    resumed: forMs => told.push(`resumed after ${forMs}`)
  })
  return { clock, told, heart, proof }
}

const never = new AbortController().signal

/** Whether a wait is over, as of now. */
function isOver(wait: Promise<void>): () => boolean {
  let over = false
  void wait.then(() => {
    over = true
  })
  return () => over
}

describe('SessionProof', () => {
  it('begins suspended, and tells nobody of its first proof', () => {
    const { told, heart, proof } = aProof(Number.NEGATIVE_INFINITY)
    expect(proof.lapse.aborted).to.equal(true)
    expect(proof.isProved()).to.equal(false)
    expect(proof.remainingMs()).to.equal(Number.NEGATIVE_INFINITY)
    heart.provedAtMs = 0
    expect(proof.isProved()).to.equal(true)
    expect(proof.lapse.aborted).to.equal(false)
    expect(told).to.deep.equal([])
  })

  it('counts from when the heartbeat was sent, to the millisecond', async () => {
    const { clock, told, heart, proof } = aProof()
    expect(proof.isProved()).to.equal(true)
    await clock.advance(3_000)
    heart.provedAtMs = 1_000
    expect(proof.remainingMs()).to.equal(VALID_MS - 2_000)
    await clock.advance(VALID_MS - 2_001)
    expect(proof.isProved()).to.equal(true)
    await clock.advance(1)
    expect(proof.isProved()).to.equal(false)
    expect(told).to.deep.equal([`lapsed at ${VALID_MS + 1_000}`])
  })

  it('finds out when it is asked, and not before: no timer has to run', async () => {
    const { clock, told, proof } = aProof()
    proof.isProved()
    const { lapse } = proof
    await clock.advance(600_000)
    expect(lapse.aborted).to.equal(false)
    expect(proof.isProved()).to.equal(false)
    expect(lapse.aborted).to.equal(true)
    expect(told).to.deep.equal(['lapsed at 600000'])
  })

  it('is not suspended where a heartbeat was acknowledged before anybody asked', async () => {
    const { clock, told, heart, proof } = aProof()
    proof.isProved()
    const { lapse } = proof
    await clock.advance(600_000)
    heart.provedAtMs = 599_000
    expect(proof.isProved()).to.equal(true)
    expect(proof.lapse).to.equal(lapse)
    expect(lapse.aborted).to.equal(false)
    expect(told).to.deep.equal([])
  })

  it('tells of each lapse and each resumption once, and how long it took', async () => {
    const { clock, told, heart, proof } = aProof()
    proof.isProved()
    await clock.advance(9_000)
    for (let again = 0; again < 3; again++) proof.isProved()
    await clock.advance(2_500)
    heart.provedAtMs = 11_000
    for (let again = 0; again < 3; again++) proof.isProved()
    await clock.advance(10_000)
    proof.isProved()
    expect(told).to.deep.equal(['lapsed at 9000', 'resumed after 2500', 'lapsed at 21500'])
  })

  it('has a lapse of its own for each time it is proved, and none that takes itself back', async () => {
    const { clock, heart, proof } = aProof()
    proof.isProved()
    const first = proof.lapse
    await clock.advance(9_000)
    proof.isProved()
    heart.provedAtMs = 9_000
    proof.isProved()
    expect(proof.lapse).to.not.equal(first)
    expect([first.aborted, proof.lapse.aborted]).to.deep.equal([true, false])
  })

  it('has changed already when it tells of it', async () => {
    const seen: boolean[] = []
    const clock = new VirtualClock()
    let provedAtMs = 0
    const proof: SessionProof = new SessionProof({
      clock,
      validMs: VALID_MS,
      provedAtMs: () => provedAtMs,
      lapsed: () => seen.push(proof.lapse.aborted, proof.isProved()),
      resumed: () => seen.push(proof.lapse.aborted, proof.isProved())
    })
    proof.isProved()
    await clock.advance(9_000)
    proof.isProved()
    provedAtMs = 9_000
    proof.isProved()
    expect(seen).to.deep.equal([true, false, false, true])
  })

  describe('whenProved', () => {
    it('resolves at once while the session is proved', async () => {
      const { proof } = aProof()
      await proof.whenProved(never)
      expect(proof.lapse.aborted).to.equal(false)
    })

    it('finds out first that the proof has run out', async () => {
      const { clock, told, proof } = aProof()
      proof.isProved()
      await clock.advance(9_000)
      const waits = isOver(proof.whenProved(never))
      await clock.advance(60_000)
      expect(waits()).to.equal(false)
      expect(told).to.deep.equal(['lapsed at 9000'])
    })

    it('resolves for everybody who waits when the session is proved again', async () => {
      const { clock, heart, proof } = aProof(Number.NEGATIVE_INFINITY)
      const waits = [isOver(proof.whenProved(never)), isOver(proof.whenProved(never))]
      await clock.advance(60_000)
      expect(waits.map(over => over())).to.deep.equal([false, false])
      heart.provedAtMs = 60_000
      proof.isProved()
      await clock.settle()
      expect(waits.map(over => over())).to.deep.equal([true, true])
    })

    it('goes on waiting where the proof has run out again before the wait was over', async () => {
      const { clock, heart, proof } = aProof(Number.NEGATIVE_INFINITY)
      const waits = isOver(proof.whenProved(never))
      await clock.settle()
      heart.provedAtMs = 0
      proof.isProved()
      heart.provedAtMs = Number.NEGATIVE_INFINITY
      proof.isProved()
      await clock.advance(1_000)
      expect(waits()).to.equal(false)
      heart.provedAtMs = 1_000
      proof.isProved()
      await clock.settle()
      expect(waits()).to.equal(true)
    })

    it('resolves when its signal aborts, before and after, and leaves no listener on it', async () => {
      const { clock, heart, proof } = aProof(Number.NEGATIVE_INFINITY)
      await proof.whenProved(AbortSignal.abort())
      const abort = new AbortController()
      const waits = isOver(proof.whenProved(abort.signal))
      await clock.settle()
      expect(waits()).to.equal(false)
      abort.abort(new Error('enough'))
      await clock.settle()
      expect(waits()).to.equal(true)
      const patient = new AbortController()
      for (let turn = 0; turn < 3; turn++) {
        const wait = proof.whenProved(patient.signal)
        heart.provedAtMs = clock.monotonicMs()
        proof.isProved()
        await wait
        heart.provedAtMs = Number.NEGATIVE_INFINITY
        proof.isProved()
      }
      await clock.settle()
      expect(getEventListeners(patient.signal, 'abort')).to.have.length(0)
    })
  })
})
