// Both ways over, by the program, with workers of KCL as the others see them.
import { expect } from 'chai'
import { isSession } from '../../src/leases/session-id.ts'
import { CliFleet } from '../support/cli-fleet.ts'
import { openLeases } from '../support/fleet.ts'
import { JavaWorker } from '../support/java-worker.ts'

describe('millrace migrate', () => {
  let fleet: CliFleet
  let java: JavaWorker

  beforeEach(() => {
    fleet = new CliFleet()
    java = new JavaWorker(fleet.world, 'java-1')
  })

  afterEach(async () => {
    java.kill()
    await fleet.world.stopAll()
  })

  /** Runs it, and does what it asks for on standard error, once each. */
  async function runDoing(deeds: Readonly<Record<string, () => void>>, ...argv: readonly string[]): Promise<number> {
    const left = new Map(Object.entries(deeds))
    const work = fleet.begin('migrate', ...argv, '--yes')
    const { rig } = fleet
    let code: number | undefined
    void work.then(ended => {
      code = ended
    })
    await fleet.world.clock.advanceUntil(() => {
      for (const [words, deed] of left) {
        if (!rig.stderr.text.includes(words)) continue
        left.delete(words)
        deed()
      }
      return code !== undefined
    })
    return work
  }

  it('says what the table is and what would be done, and changes nothing', async () => {
    java.start()
    await fleet.world.clock.advance(30_000)
    const before = fleet.world.history.writes.length
    expect(await fleet.run('migrate', '--to', 'millrace', '--dry-run'), fleet.rig.stderr.text).to.equal(0)
    const { text } = fleet.rig.stdout
    expect(text).to.include('orders → app, from KCL to Millrace')
    expect(text).to.include('4 leases, 4 of KCL, 0 of Millrace, 0 of nobody, 0 finished')
    expect(text).to.match(/java-1 +KCL +4 +alive +every 3\.\d s/)
    expect(text).to.include('renew as with failoverTimeMillis 10000')
    expect(text).to.include('→ 2. you: start the workers of Millrace, beside those of KCL (until: ')
    const others = fleet.world.history.writes.slice(before).filter(({ after }) => after?.owner !== 'java-1')
    expect(others).to.deep.equal([])
    expect((await fleet.world.control.orders()).ver).to.equal(0)
  })

  it('changes over and back, asking for what others have to do', async () => {
    java.start()
    await fleet.world.clock.advance(30_000)
    const to = await runDoing(
      {
        'now you: start the workers of Millrace': () => void fleet.world.makeWorker().worker.start(),
        'now you: stop the workers of KCL': () => java.kill()
      },
      ...['--to', 'millrace']
    )
    expect(to, fleet.rig.stderr.text).to.equal(0)
    expect(fleet.rig.stdout.text).to.match(/Millrace reads orders now; it took 1 m \d+ s\n$/)
    expect((await openLeases(fleet.world)).every(({ owner = '' }) => isSession(owner))).to.equal(true)

    java = new JavaWorker(fleet.world, 'java-2')
    const back = await runDoing(
      {
        'now you: start the workers of KCL': () => java.start(),
        'now you: stop the workers of Millrace': () => void fleet.world.members[0]?.worker.stop()
      },
      ...['--to', 'kcl', '--delete-leftovers']
    )
    expect(back, fleet.rig.stderr.text).to.equal(0)
    expect(fleet.rig.stdout.text).to.match(/KCL reads orders now; it took .*\nwhat was left over is deleted\n$/)
    expect((await openLeases(fleet.world)).map(({ owner }) => owner)).to.deep.equal(Array(4).fill('java-2'))
    expect(await fleet.world.control.members()).to.deep.equal([])
    expect((await fleet.world.control.orders()).ver).to.equal(0)
  })

  it('does nothing while something is in the way, and says what', async () => {
    await fleet.start()
    expect(await fleet.run('pause', '--shard', '1', '--why', 'repairs', '--yes')).to.equal(0)
    expect(await fleet.run('migrate', '--to', 'kcl', '--yes')).to.equal(3)
    expect(fleet.rig.stdout.text).to.include('blocker: Shards are paused for repairs, and KCL knows no pauses')
    expect((await fleet.world.control.orders()).mode).to.equal(undefined)
  })

  it('ends with 1 when it has waited for long enough, and with 130 when it is interrupted', async () => {
    await fleet.start()
    expect(await fleet.run('migrate', '--to', 'kcl', '--yes', '--timeout', '1m')).to.equal(1)
    expect(fleet.rig.stderr.text).to.include('After 60 s it is still to be done: start the workers of KCL')
    const work = fleet.begin('migrate', '--to', 'kcl', '--yes')
    await fleet.world.clock.advance(30_000)
    fleet.rig.signal()
    expect(await fleet.world.await(work)).to.equal(130)
    expect(fleet.rig.stderr.text).to.include('What was done so far stands; run it again to go on')
  })

  it('asks first, and needs to know the side', async () => {
    await fleet.start()
    expect(await fleet.run('migrate', '--to', 'kcl')).to.equal(2)
    expect(fleet.rig.stderr.text).to.include(
      'It will ask you to start the workers of KCL, beside those of Millrace, and to '
    )
    expect(await fleet.run('migrate', '--to', 'flink')).to.equal(2)
    expect(await fleet.run('migrate')).to.equal(2)
    expect((await fleet.world.control.orders()).ver).to.equal(0)
  })
})
