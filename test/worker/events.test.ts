import { expect } from 'chai'
import { WORKER_EVENT_NAMES } from '../../src/worker/events.ts'

describe('WORKER_EVENT_NAMES', () => {
  it('has every name once, each but error with what it is about', () => {
    expect(new Set(WORKER_EVENT_NAMES).size).to.equal(WORKER_EVENT_NAMES.length)
    const odd = WORKER_EVENT_NAMES.filter(name => name !== 'error' && !/^[a-z-]+:[a-z-]+$/.test(name))
    expect(odd).to.deep.equal([])
    expect(WORKER_EVENT_NAMES).to.include.members(['worker:started', 'shard:stalled', 'breaker:changed', 'error'])
  })
})
