import { expect } from 'chai'
import { interruptible } from '../../src/cli/interruption.ts'
import { whenAborted } from '../../src/runtime/abort.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { CliRig } from '../support/cli-rig.ts'

describe('interruptible', () => {
  it('asks the work to end at the first signal, and ends the process at the second', async () => {
    const clock = new VirtualClock()
    const rig = new CliRig({ clock })
    const asked: string[] = []
    const work = interruptible(
      rig.ports,
      async signal => {
        await whenAborted(signal)
        await clock.advance(1_000)
        rig.signal('SIGINT')
        rig.signal('SIGTERM')
        return 'done'
      },
      signal => asked.push(signal)
    )
    rig.signal('SIGTERM')
    expect(await work).to.equal('done')
    expect(asked).to.deep.equal(['SIGTERM'])
    expect(rig.exits).to.deep.equal([130, 143])
  })

  it('takes signals that come together for one: npx passes on what the terminal has sent to everybody', async () => {
    const clock = new VirtualClock()
    const rig = new CliRig({ clock })
    const work = interruptible(rig.ports, async signal => {
      await whenAborted(signal)
      await clock.advance(400)
      rig.signal('SIGINT')
    })
    rig.signal('SIGINT')
    rig.signal('SIGINT')
    await work
    expect(rig.exits).to.deep.equal([])
  })

  it('leaves signals alone once the work is over, however it ended', async () => {
    const rig = new CliRig()
    await interruptible(rig.ports, async () => expect(rig.isListening).to.equal(true))
    expect(rig.isListening).to.equal(false)
    await interruptible(rig.ports, () => Promise.reject(new Error('failed'))).catch(() => {})
    expect(rig.isListening).to.equal(false)
  })
})
