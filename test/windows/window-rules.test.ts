import { expect } from 'chai'
import {
  arrive,
  checkpointFor,
  firstOpen,
  isAtOrPast,
  type OpenSpan,
  overToMs,
  place,
  settle,
  type WindowCourse,
  type WindowRules,
  windowAt
} from '../../src/windows/window-rules.ts'
import { aPosition } from '../support/builders.ts'

const NEVER = Number.NEGATIVE_INFINITY
const RULES: WindowRules = { windowMs: 100, allowedLatenessMs: 30, isLateMoved: true }
const PLAIN: WindowRules = { ...RULES, allowedLatenessMs: 0 }

const course = (more: Partial<WindowCourse> = {}): WindowCourse => ({
  ...{ handled: undefined, newestMs: NEVER, closedToMs: NEVER, floorMs: NEVER, movedAt: undefined },
  ...more
})
const span = (startMs: number, after: number | undefined): OpenSpan => ({
  window: windowAt(startMs, 100),
  after: after === undefined ? undefined : aPosition(after)
})
const into = (startMs: number, isLate = false) => ({ kind: 'in', window: windowAt(startMs, 100), isLate })

describe('windowAt', () => {
  it('begins windows at multiples of their length', () => {
    expect(windowAt(99, 100)).to.deep.equal({ startMs: 0, endMs: 100 })
    expect(windowAt(100, 100)).to.deep.equal({ startMs: 100, endMs: 200 })
    expect(windowAt(-1, 100)).to.deep.equal({ startMs: -100, endMs: 0 })
  })
})

describe('overToMs', () => {
  it('is what the newest record closes, once the lateness has passed', () => {
    expect(overToMs(course(), RULES)).to.equal(NEVER)
    expect(overToMs(course({ newestMs: 229 }), RULES)).to.equal(100)
    expect(overToMs(course({ newestMs: 230 }), RULES)).to.equal(200)
    expect(overToMs(course({ newestMs: 200 }), PLAIN)).to.equal(200)
  })

  it('is what the clock has closed, if that is more', () => {
    expect(overToMs(course({ newestMs: 230, closedToMs: 300 }), RULES)).to.equal(300)
  })
})

describe('arrive', () => {
  it('never goes back in time', () => {
    expect(arrive(course({ newestMs: 230 }), 150, RULES).newestMs).to.equal(230)
    expect(arrive(course({ newestMs: 230 }), 250, RULES).newestMs).to.equal(250)
  })

  it('takes the windows before that of the first record after a checkpoint for closed', () => {
    expect(arrive(course({ floorMs: undefined }), 250, RULES).floorMs).to.equal(200)
    expect(arrive(course({ floorMs: 200 }), 350, RULES).floorMs).to.equal(200)
    expect(arrive(course(), 250, RULES).floorMs).to.equal(NEVER)
  })
})

describe('place', () => {
  it('puts a record into its window as long as that is open', () => {
    expect(place(course({ newestMs: 229 }), 150, RULES)).to.deep.equal(into(100))
    expect(place(course({ newestMs: 229 }), 229, RULES)).to.deep.equal(into(200))
  })

  it('puts a late one into the oldest window that takes records', () => {
    expect(place(course({ newestMs: 330 }), 150, RULES)).to.deep.equal(into(300, true))
    expect(place(course({ closedToMs: 400, newestMs: 330 }), 350, RULES)).to.deep.equal(into(400, true))
  })

  it('puts a late one nowhere if it is not to', () => {
    const placement = place(course({ newestMs: 330 }), 150, { ...RULES, isLateMoved: false })
    expect(placement).to.deep.equal({ kind: 'late', window: windowAt(100, 100) })
  })

  it('leaves out what an earlier owner has counted, in its own window or as a late one in another', () => {
    expect(place(course({ floorMs: 300, newestMs: 310 }), 250, RULES)).to.deep.equal({ kind: 'counted' })
    expect(place(course({ floorMs: 300, newestMs: 310 }), 150, RULES)).to.deep.equal({ kind: 'counted' })
    expect(place(course({ floorMs: 300, newestMs: 330 }), 250, RULES)).to.deep.equal(into(300, true))
  })
})

describe('settle', () => {
  it('remembers where a record is late only because of the clock', () => {
    const at = aPosition(5)
    const late = { kind: 'in', window: windowAt(300, 100), isLate: true } as const
    expect(settle(course({ newestMs: 310, closedToMs: 300 }), at, late, RULES)).to.include({ handled: at, movedAt: at })
    expect(settle(course({ newestMs: 330, closedToMs: 300 }), at, late, RULES).movedAt).to.equal(undefined)
    expect(settle(course({ newestMs: 310, closedToMs: 300 }), at, { ...late, isLate: false }, RULES).movedAt).to.equal(
      undefined
    )
  })
})

describe('checkpointFor', () => {
  const CASES: readonly (readonly [string, WindowCourse, OpenSpan[], number | undefined])[] = [
    ['is none while no window is open', course({ newestMs: 330 }), [], undefined],
    ['is just before the first record of the only open window', course({ newestMs: 330 }), [span(300, 7)], 7],
    ['is just before the first record of the oldest one', course({ newestMs: 330 }), [span(400, 9), span(300, 7)], 7],
    ['is none at the beginning of the shard', course({ newestMs: 330 }), [span(300, undefined)], undefined],
    [
      'is none while a newer window began before the oldest',
      course({ newestMs: 330 }),
      [span(300, 9), span(400, 7)],
      undefined
    ],
    ['is none while windows before may still open', course({ newestMs: 329 }), [span(300, 7)], undefined],
    [
      'is none if the clock alone has closed those before',
      course({ newestMs: 329, closedToMs: 300 }),
      [span(300, 7)],
      undefined
    ],
    [
      'is none before what was moved because of the clock',
      course({ newestMs: 330, movedAt: aPosition(8) }),
      [span(300, 7)],
      undefined
    ],
    ['is free again after that', course({ newestMs: 330, movedAt: aPosition(7) }), [span(300, 7)], 7]
  ]
  for (const [what, at, open, expected] of CASES) {
    it(what, () => {
      expect(checkpointFor(at, open, RULES)).to.deep.equal(expected === undefined ? undefined : aPosition(expected))
    })
  }
})

describe('firstOpen', () => {
  it('is just before the first record of all', () => {
    expect(firstOpen([span(300, 9), span(400, 7)])).to.deep.equal(aPosition(7))
    expect(firstOpen([span(300, 9), span(400, undefined)])).to.equal(undefined)
    expect(firstOpen([])).to.equal(undefined)
  })
})

describe('isAtOrPast', () => {
  it('takes no position for one before all', () => {
    expect(isAtOrPast(undefined, undefined)).to.equal(true)
    expect(isAtOrPast(aPosition(1), undefined)).to.equal(true)
    expect(isAtOrPast(undefined, aPosition(1))).to.equal(false)
    expect(isAtOrPast(aPosition(1), aPosition(1))).to.equal(true)
    expect(isAtOrPast(aPosition(1), aPosition(1, 1))).to.equal(false)
  })
})
