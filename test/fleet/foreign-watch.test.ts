import { expect } from 'chai'
import { ForeignWatch } from '../../src/fleet/foreign-watch.ts'
import { memoryKclCoordination } from '../../src/leases/memory-kcl-coordination.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import type { ModeOrder } from '../../src/leases/order-rules.ts'
import { finished, type Lease, renewed } from '../../src/model/lease.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aMember, SETTINGS, session, someLeases } from './fleet-model.ts'

function rig({ mode = 'solo', version }: { mode?: 'solo' | 'mixed'; version?: '2X' | '3X' } = {}) {
  const orders: { mode?: ModeOrder } = {}
  const clock = new VirtualClock()
  const kcl = memoryKclCoordination(memoryLeaseStore())
  kcl.items.version = version
  const watch = new ForeignWatch({ kcl, clock, settings: SETTINGS, mode, ordered: () => orders.mode })
  const look = async (ms: number): Promise<boolean> => {
    await clock.advance(ms)
    return watch.look([])
  }
  return {
    clock,
    kcl,
    watch,
    look,
    orders,
    beat: (word: string) => (kcl.items.lock = { owner: 'java-1', version: word })
  }
}

describe('ForeignWatch', () => {
  it('tells of foreign workers once, and changes to mixed because of them', () => {
    const { watch } = rig()
    expect([watch.note(someLeases(2, () => session('a'))), watch.mode]).to.deep.equal([undefined, 'solo'])
    const javas = someLeases(2, index => `java-${index}`)
    expect([watch.note(javas), watch.mode]).to.deep.equal([['java-0', 'java-1'], 'mixed'])
    expect(watch.note(javas)).to.equal(undefined)
  })

  it('passes over who owns finished shards only', () => {
    const { watch } = rig()
    const ended: Lease[] = someLeases(1).map(lease => ({ ...finished(lease, []), owner: 'java-1' }))
    expect([watch.note(ended), watch.mode]).to.deep.equal([undefined, 'solo'])
  })

  it('goes back to the mode of its options ten minutes after the last one was seen', async () => {
    const { clock, watch } = rig()
    watch.note(someLeases(1, () => 'java-1'))
    await clock.advance(599_999)
    watch.note(someLeases(1))
    expect(watch.mode).to.equal('mixed')
    await clock.advance(1)
    watch.note(someLeases(1))
    expect(watch.mode).to.equal('solo')
  })

  it('goes by the mode that an operator has ordered, as soon as there is no foreign worker', () => {
    const { watch, orders } = rig()
    orders.mode = { id: '1', mode: 'mixed', by: 'somebody' }
    watch.note(someLeases(1))
    expect(watch.mode).to.equal('mixed')
    watch.note(someLeases(1, () => 'java-1'))
    orders.mode = { id: '2', mode: 'solo', by: 'somebody' }
    watch.note(someLeases(1, () => 'java-1'))
    expect(watch.mode).to.equal('mixed')
    watch.note(someLeases(1))
    expect(watch.mode).to.equal('solo')
  })

  it('stays mixed as long as a Java leader assigns, although no Java worker has a lease', async () => {
    const { watch, look, beat } = rig({ version: '3X' })
    watch.inheritMixed()
    for (let minute = 0; minute < 30; minute++) {
      beat(`${minute}`)
      await look(60_000)
      watch.note(someLeases(1, () => session('a')))
    }
    expect([watch.mode, watch.doesKclAssign]).to.deep.equal(['mixed', true])
  })

  it('calls a worker silent whose leases have not moved for a lease duration', async () => {
    const { clock, watch } = rig()
    let leases = someLeases(2, index => `java-${index}`)
    for (let look = 0; look < 6; look++) {
      leases = leases.map((lease, index) => (index === 0 ? renewed(lease) : lease))
      watch.note(leases)
      await clock.advance(2_500)
    }
    expect([...watch.workers()]).to.deep.equal([
      ['java-0', { silent: false }],
      ['java-1', { silent: true }]
    ])
  })

  it('looks how a Java fleet is coordinated in mixed mode only, and says when leases change hands', async () => {
    const { watch, look, beat } = rig({ version: '3X' })
    beat('1')
    expect([await look(0), watch.doesKclAssign]).to.deep.equal([false, false])
    watch.note(someLeases(1, () => 'java-1'))
    expect([await look(0), watch.doesKclAssign, watch.isInterim]).to.deep.equal([true, true, true])
    expect(await look(10_000)).to.equal(false)
    const changes: boolean[] = []
    for (let i = 0; i < 10; i++) changes.push(await look(10_000))
    expect([changes.filter(Boolean).length, watch.doesKclAssign, watch.isInterim]).to.deep.equal([1, false, true])
    beat('2')
    expect([await look(10_000), watch.doesKclAssign]).to.deep.equal([true, true])
  })

  describe('while a Java leader stops renewing its leases', () => {
    /** A Java leader with a lease that it has renewed, and another Java worker. Both are seen every 2.5 s. */
    const watching = async ({ hasRenewed = true } = {}) => {
      const { watch, look, beat, ...others } = rig({ mode: 'mixed', version: '3X' })
      beat('1')
      let leases = someLeases(2, index => `java-${index + 1}`)
      const seen = async (...renewing: readonly number[]): Promise<boolean> => {
        leases = leases.map((lease, index) => (renewing.includes(index) ? renewed(lease) : lease))
        watch.note(leases)
        return look(2_500)
      }
      const watched = async (ms: number, ...renewing: readonly number[]): Promise<void> => {
        for (let atMs = 0; atMs < ms; atMs += 2_500) await seen(...renewing)
      }
      await seen(0, 1)
      await watched(10_000, ...(hasRenewed ? [0, 1] : [1]))
      return { watch, look, beat, watched, ...others }
    }

    it('takes the leases over after a lease duration, and leaves them to it again once its lock moves', async () => {
      const { watch, watched, beat } = await watching()
      await watched(10_000, 1)
      expect(watch.doesKclAssign, 'not before').to.equal(true)
      await watched(7_500, 1)
      expect([watch.doesKclAssign, watch.isInterim]).to.deep.equal([false, true])
      beat('2')
      await watched(10_000, 1)
      expect(watch.doesKclAssign).to.equal(true)
    })

    it('waits for the lock while another Java worker is silent, or where the leader has no lease', async () => {
      const { watch, watched, kcl } = await watching()
      await watched(30_000, 0)
      expect(watch.doesKclAssign, 'the other one').to.equal(true)
      kcl.items.lock = { owner: 'java-3', version: '2' }
      await watched(60_000)
      expect(watch.doesKclAssign, 'a leader without a lease').to.equal(true)
    })

    it('waits for one that may only just have been given its first lease', async () => {
      const { watch, watched } = await watching({ hasRenewed: false })
      await watched(40_000, 1)
      expect(watch.doesKclAssign).to.equal(true)
    })
  })

  it('leaves a fleet of 2.x as it is', async () => {
    const { watch, look, beat } = rig({ mode: 'mixed', version: '2X' })
    beat('1')
    watch.note(someLeases(1, () => 'java-1'))
    expect([await look(0), watch.doesKclAssign, watch.isInterim]).to.deep.equal([false, false, false])
  })

  it('takes back the dead among ours, each once', async () => {
    const { clock, kcl, watch } = rig({ mode: 'mixed', version: '3X' })
    const [dead, alive] = [session('a'), session('b')]
    const published = kcl.items.published['lease-table']
    for (const id of [dead, alive]) await kcl.publish(id, 'lease-table', 1)
    const members = [aMember('a', { dead: 'silent' }), aMember('b')]
    await watch.look(members)
    expect([...published.keys()]).to.deep.equal([alive])
    await kcl.publish(dead, 'lease-table', 1)
    await clock.advance(10_000)
    await watch.look(members)
    expect(published.has(dead), 'it is told once').to.equal(true)
  })

  it('goes by what it knew while it cannot look', async () => {
    const { clock, kcl } = rig({ version: '3X' })
    kcl.items.lock = { owner: 'java-1', version: '1' }
    let isDenied = false
    const read = (nowS: number) => (isDenied ? Promise.reject(new Error('denied')) : kcl.read(nowS))
    const about = { clock, settings: SETTINGS, mode: 'mixed', ordered: () => undefined } as const
    const watch = new ForeignWatch({ ...about, kcl: { ...kcl, read } })
    watch.note(someLeases(1, () => 'java-1'))
    await watch.look([])
    isDenied = true
    await clock.advance(600_000)
    expect([await watch.look([]), watch.doesKclAssign]).to.deep.equal([false, true])
  })
})
