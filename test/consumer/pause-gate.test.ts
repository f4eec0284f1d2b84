import { expect } from 'chai'
import { PauseGate } from '../../src/consumer/pause-gate.ts'

describe('PauseGate', () => {
  it('is open at first, and says what is news', () => {
    const gate = new PauseGate()
    expect([gate.isOpen, gate.open(), gate.close(), gate.close(), gate.isOpen, gate.open()]).to.deep.equal([
      ...[true, false, true, false, false],
      true
    ])
  })

  it('keeps back whoever waits until it is open, also if it is closed again at once', async () => {
    const gate = new PauseGate()
    gate.close()
    const passed: string[] = []
    const waiting = gate.whenOpen([]).then(() => passed.push('passed'))
    gate.open()
    gate.close()
    await Promise.resolve()
    expect(passed).to.deep.equal([])
    gate.open()
    await waiting
    expect(passed).to.deep.equal(['passed'])
  })

  it('lets go whoever a signal calls away, now or later', async () => {
    const gate = new PauseGate()
    gate.close()
    await gate.whenOpen([AbortSignal.abort()])
    const away = new AbortController()
    const waiting = gate.whenOpen([new AbortController().signal, away.signal])
    away.abort()
    await waiting
    expect(gate.isOpen).to.equal(false)
  })
})
