import { expect } from 'chai'
import {
  formatEvent,
  HEARTBEAT,
  NOTHING_READ,
  readEvents,
  type StreamEvent
} from '../../src/dashboard/event-stream-rules.ts'
import { seededRandom } from '../../src/runtime/random.ts'

describe('readEvents', () => {
  const EVENTS: readonly StreamEvent[] = [
    { id: 'a-1', data: '{"text":"é — \\n"}' },
    { id: 'a-2', data: '1' },
    { id: 'a-3', data: `"${'x'.repeat(5_000)}"` }
  ]

  it('reads what was written, wherever the pieces are cut', () => {
    const random = seededRandom(7)
    const text = EVENTS.map(formatEvent).join(HEARTBEAT)
    for (let round = 0; round < 50; round++) {
      let [rest, left] = [NOTHING_READ, text]
      const found: StreamEvent[] = []
      while (left !== '') {
        const length = 1 + Math.floor(random.next() * 300)
        const read = readEvents(rest, left.slice(0, length))
        left = left.slice(length)
        found.push(...read.events)
        rest = read.rest
      }
      expect(found).to.deep.equal(EVENTS)
    }
  })

  it('keeps the id of the last event for one without', () => {
    expect(readEvents(NOTHING_READ, 'id: 7\ndata: a\n\ndata: b\ndata: c\n\n').events).to.deep.equal([
      { id: '7', data: 'a' },
      { id: '7', data: 'b\nc' }
    ])
  })
})
