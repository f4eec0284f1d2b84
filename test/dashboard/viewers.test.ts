// Lines that are slow, full or dead, in virtual time.
import { expect } from 'chai'
import { Viewers } from '../../src/dashboard/viewers.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

class Line {
  writableLength = 0
  isDestroyed = false
  isEnded = false
  isSlow = false
  readonly written: string[] = []
  readonly #once = new Map<string, (() => void)[]>()

  write(text: string): boolean {
    this.written.push(text)
    if (this.isSlow) this.writableLength += text.length
    return !this.isSlow
  }

  once(name: string, listener: () => void): void {
    this.#once.set(name, [...(this.#once.get(name) ?? []), listener])
  }

  happen(name: 'close' | 'drain'): void {
    if (name === 'drain') this.writableLength = 0
    const listeners = this.#once.get(name) ?? []
    this.#once.delete(name)
    for (const listener of listeners) listener()
  }

  end(): void {
    this.isEnded = true
  }

  destroy(): void {
    this.isDestroyed = true
  }
}

describe('Viewers', () => {
  const told: string[] = []
  let clock: VirtualClock
  let viewers: Viewers

  beforeEach(() => {
    told.length = 0
    clock = new VirtualClock()
    viewers = new Viewers({
      ...{ clock, maxViewers: 2, heartbeatMs: 1_000, maxWaiting: 100 },
      begun: () => void told.push('begun'),
      over: () => void told.push('over')
    })
  })

  afterEach(() => viewers.close())

  it('tells that the first has come and the last has gone', () => {
    const [one, two] = [new Line(), new Line()]
    viewers.add(one, 'first')
    viewers.add(two, 'first')
    expect(viewers.hasRoom).to.equal(false)
    one.happen('close')
    expect(told).to.deep.equal(['begun'])
    two.happen('close')
    two.happen('close')
    expect(told).to.deep.equal(['begun', 'over'])
  })

  it('drops who has not taken what waits, and goes on with the others', () => {
    const [slow, quick] = [new Line(), new Line()]
    slow.isSlow = true
    viewers.add(slow, 'x'.repeat(500))
    viewers.add(quick, 'first')
    for (let n = 0; n < 12; n++) viewers.send('y'.repeat(10))
    expect(slow.isDestroyed).to.equal(true)
    // The first event may be large; beside that a hundred bytes, and the one that was more than that.
    expect(slow.writableLength).to.equal(500 + 110)
    expect(quick.written).to.have.length(13)
    expect(viewers.size).to.equal(1)
  })

  it('allows no more than that once the first event was taken', () => {
    const line = new Line()
    line.isSlow = true
    viewers.add(line, 'x'.repeat(500))
    line.happen('drain')
    viewers.send('y'.repeat(101))
    viewers.send('y')
    expect(line.isDestroyed).to.equal(true)
  })

  it('beats, and drops who took nothing between two beats', async () => {
    const [dead, alive] = [new Line(), new Line()]
    viewers.add(alive, 'first')
    viewers.add(dead, 'first')
    dead.isSlow = true
    viewers.send('y')
    await clock.advance(1_000)
    expect(dead.isDestroyed).to.equal(false)
    await clock.advance(1_000)
    expect(dead.isDestroyed).to.equal(true)
    expect(alive.written.filter(text => text.startsWith(':'))).to.have.length(2)
  })

  it('lets everybody go when it is closed', async () => {
    const line = new Line()
    viewers.add(line, 'first')
    await viewers.close()
    expect(line.isEnded).to.equal(true)
    expect(viewers.size).to.equal(0)
  })
})
