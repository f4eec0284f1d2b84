import { expect } from 'chai'
import { KclPresence } from '../../src/fleet/kcl-presence.ts'
import type { FleetMode } from '../../src/leases/control-store.ts'
import { memoryKclCoordination } from '../../src/leases/memory-kcl-coordination.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const [FIRST, SECOND] = ['w/00000001', 'w/00000002'] as const

function rig() {
  const clock = new VirtualClock()
  const kcl = memoryKclCoordination(memoryLeaseStore())
  const { items } = kcl
  const told: string[] = []
  const state = {
    mode: 'mixed' as FleetMode,
    session: FIRST as string | undefined,
    reads: 0,
    isDenied: false,
    isFull: false
  }
  const presence = new KclPresence({
    kcl: {
      ...kcl,
      read: async nowS => {
        state.reads++
        if (state.isDenied) throw new Error('denied')
        return kcl.read(nowS)
      }
    },
    clock,
    mode: () => state.mode,
    session: () => state.session,
    isFull: () => state.isFull,
    failed: what => told.push(what)
  })
  const published = (): Record<string, string[]> => ({
    lease: [...items.published['lease-table'].keys()],
    legacy: [...items.published['legacy-tables'].keys()]
  })
  return { clock, items, told, state, presence, published }
}

const NOTHING = { lease: [], legacy: [] }

describe('KclPresence', () => {
  it('writes nothing, and reads nothing, in solo mode', async () => {
    const { clock, items, state, presence, published } = rig()
    state.mode = 'solo'
    items.version = '3X'
    presence.start()
    await clock.advance(600_000)
    expect([published(), state.reads]).to.deep.equal([NOTHING, 0])
  })

  for (const version of [undefined, 'INIT', '2X'] as const) {
    it(`writes nothing in a fleet that says ${version}: KCL 2.x would break on it`, async () => {
      const { clock, items, presence, published } = rig()
      items.version = version
      presence.start()
      await clock.advance(600_000)
      expect(published()).to.deep.equal(NOTHING)
    })
  }

  it('says at once that it is full, and that it is no more', async () => {
    const { clock, items, state, presence } = rig()
    items.version = '3X'
    presence.start()
    presence.notice('kcl')
    await clock.advance(1_000)
    expect([...items.full]).to.deep.equal([])
    for (const isFull of [true, false]) {
      state.isFull = isFull
      presence.notice('kcl')
      await clock.advance(1_000)
      expect(items.full.has(FIRST)).to.equal(isFull)
      expect([...items.published['lease-table'].keys()]).to.deep.equal([FIRST])
    }
  })

  it('says that its session is there at least every 30 s, and looks once a minute how the fleet is coordinated', async () => {
    const { clock, items, state, presence } = rig()
    items.version = 'UPGRADE_FROM_2X'
    presence.start()
    await clock.advance(5_000)
    for (let second = 0; second < 120; second++) {
      await clock.advance(1_000)
      const agoS = clock.epochMs() / 1_000 - (items.published['lease-table'].get(FIRST) ?? Number.NaN)
      expect(agoS).to.be.at.most(30)
    }
    expect(state.reads).to.be.within(2, 3)
  })

  it('moves to the place that the fleet uses, and leaves nothing in the other', async () => {
    const { clock, items, presence, published } = rig()
    Object.assign(items, { version: '3X', hasLegacyTables: true })
    presence.start()
    await clock.advance(1_000)
    expect(published()).to.deep.equal({ lease: [], legacy: [FIRST] })
    items.tableMigration = 'COMPLETE'
    await clock.advance(90_000)
    expect(published()).to.deep.equal({ lease: [FIRST], legacy: [] })
    items.version = '2X'
    await clock.advance(90_000)
    expect(published()).to.deep.equal(NOTHING)
  })

  it('takes back a session that is over, and says nothing of one that is not proved', async () => {
    const { clock, items, state, presence, published } = rig()
    items.version = '3X'
    presence.start()
    await clock.advance(1_000)
    state.session = undefined
    await clock.advance(20_000)
    expect(published()).to.deep.equal(NOTHING)
    state.session = SECOND
    presence.notice(undefined)
    await clock.advance(100)
    expect(published()).to.deep.equal({ lease: [SECOND], legacy: [] })
  })

  it('acts at once on another mode, or another assigner, and on nothing twice', async () => {
    const { clock, items, state, presence, published } = rig()
    state.mode = 'solo'
    items.version = '3X'
    presence.start()
    presence.notice(undefined)
    await clock.advance(1_000)
    state.mode = 'mixed'
    presence.notice('kcl')
    await clock.advance(100)
    expect(published()).to.deep.equal({ lease: [FIRST], legacy: [] })
    for (let i = 0; i < 5; i++) presence.notice('kcl')
    await clock.advance(100)
    expect(state.reads).to.equal(1)
  })

  it('goes on saying so by what it knew while it cannot look, and tells', async () => {
    const { clock, items, told, state, presence } = rig()
    items.version = '3X'
    presence.start()
    await clock.advance(1_000)
    state.isDenied = true
    await clock.advance(300_000)
    expect(clock.epochMs() / 1_000 - (items.published['lease-table'].get(FIRST) ?? 0)).to.be.at.most(30)
    expect(told.length).to.be.within(4, 6)
    expect(new Set(told)).to.deep.equal(new Set(['look how a fleet of KCL is coordinated']))
  })

  it('is gone when it stops, and says nothing after that', async () => {
    const { clock, items, presence, published } = rig()
    items.version = '3X'
    presence.start()
    await clock.advance(1_000)
    await presence.stop()
    expect(published()).to.deep.equal(NOTHING)
    presence.notice('kcl')
    await clock.advance(60_000)
    expect(published()).to.deep.equal(NOTHING)
  })
})
