import { expect } from 'chai'
import {
  type Admission,
  admissionTo,
  type BreakerCondition,
  type BreakerEvent,
  type BreakerPolicy,
  CLOSED,
  nextBreakerCondition
} from '../../src/processor/breaker-rules.ts'

const POLICY: BreakerPolicy = { failures: 3, openMs: 1_000, maxOpenMs: 3_000, probeMs: 500 }
const FIRST: Admission = { epoch: 0, probe: 0 }

const open = (more: object = {}): BreakerCondition =>
  ({ kind: 'open', epoch: 1, failures: 3, probes: 0, openMs: 1_000, probeAtMs: 1_000, ...more }) as BreakerCondition
const probing = (more: object = {}): BreakerCondition => open({ kind: 'probing', probes: 1, probeAtMs: 1_500, ...more })
const closed = (failures: number, epoch = 0): BreakerCondition => ({ kind: 'closed', epoch, failures })

const failed = (by: Admission, nowMs = 0): BreakerEvent => ({ kind: 'failed', by, nowMs })
const dropped = (by: Admission, nowMs = 0): BreakerEvent => ({ kind: 'dropped', by, nowMs })
const succeeded = (by: Admission): BreakerEvent => ({ kind: 'succeeded', by })
const PROBE: Admission = { epoch: 1, probe: 1 }

describe('nextBreakerCondition', () => {
  const TABLE: readonly (readonly [what: string, from: BreakerCondition, event: BreakerEvent, to: BreakerCondition])[] =
    [
      ['counts a failure', closed(0), failed(FIRST), closed(1)],
      ['begins the count anew with a success', closed(2), succeeded(FIRST), closed(0)],
      ['learns nothing of a call that was dropped', closed(2), dropped(FIRST), closed(2)],
      ['opens with the last of so many failures', closed(2), failed(FIRST), open()],
      ['has nobody probe while it is closed', closed(1), { kind: 'probed', nowMs: 0 }, closed(1)],
      ['ignores what was admitted before it opened: a failure', open(), failed(FIRST, 10), open()],
      ['ignores what was admitted before it opened: a success', open(), succeeded(FIRST), open()],
      ['has a call on trial', open(), { kind: 'probed', nowMs: 1_000 }, probing()],
      ['closes when the trial succeeds', probing(), succeeded(PROBE), closed(0, 2)],
      [
        'opens for twice as long when the trial fails',
        probing(),
        failed(PROBE, 1_200),
        open({ failures: 4, probes: 1, openMs: 2_000, probeAtMs: 3_200 })
      ],
      [
        'opens for no longer than the longest time',
        probing({ openMs: 2_000 }),
        failed(PROBE, 1_200),
        open({ failures: 4, probes: 1, openMs: 3_000, probeAtMs: 4_200 })
      ],
      [
        'has the next call on trial at once when one is dropped',
        probing(),
        dropped(PROBE, 1_100),
        probing({ probeAtMs: 1_100 })
      ],
      [
        'has another call on trial when one takes too long',
        probing(),
        { kind: 'probed', nowMs: 1_500 },
        probing({ probes: 2, probeAtMs: 2_000 })
      ],
      ['closes when a trial succeeds that took too long', probing({ probes: 2 }), succeeded(PROBE), closed(0, 2)],
      ['closes when a trial succeeds after a later one failed', open({ probes: 2 }), succeeded(PROBE), closed(0, 2)],
      [
        'waits for the last trial when an earlier one fails',
        probing({ probes: 2 }),
        failed(PROBE),
        probing({ probes: 2 })
      ],
      [
        'waits for the last trial when an earlier one is dropped',
        probing({ probes: 2 }),
        dropped(PROBE),
        probing({ probes: 2 })
      ],
      [
        'is no longer open than it is when an old trial fails',
        open({ probes: 2 }),
        failed(PROBE, 50),
        open({ probes: 2 })
      ],
      ['ignores a trial of before it closed', closed(1, 2), failed(PROBE), closed(1, 2)]
    ]
  for (const [what, from, event, to] of TABLE) {
    it(what, () => {
      expect(nextBreakerCondition(from, event, POLICY)).to.deep.equal(to)
    })
  }
})

describe('admissionTo', () => {
  it('lets everybody through while it is closed', () => {
    expect(admissionTo(CLOSED, 0)).to.deep.equal({ epoch: 0, probe: 0 })
  })

  it('lets nobody through until its time is over, and then one probe', () => {
    expect(admissionTo(open(), 999)).to.equal(undefined)
    expect(admissionTo(open(), 1_000)).to.deep.equal(PROBE)
  })

  it('lets another probe through only once the first has taken too long', () => {
    expect(admissionTo(probing(), 1_499)).to.equal(undefined)
    expect(admissionTo(probing(), 1_500)).to.deep.equal({ epoch: 1, probe: 2 })
  })
})
