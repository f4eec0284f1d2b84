import { expect } from 'chai'
import { Interruption, interruptible } from '../../src/cli/interruption.ts'
import { OperationError } from '../../src/model/errors.ts'
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

  it('says of work that was not done that it was interrupted, or what the work says of that itself', async () => {
    const rig = new CliRig()
    const ended = async (error: Error, name: 'SIGINT' | 'SIGTERM') => {
      const work = interruptible(rig.ports, async signal => {
        await whenAborted(signal)
        throw error
      }).catch((thrown: unknown) => thrown)
      rig.signal(name)
      return (await work) as Interruption
    }
    const plain = await ended(new Error('a call was cut off'), 'SIGINT')
    expect(plain).to.be.instanceOf(Interruption).and.include({ message: 'Interrupted', exitCode: 130 })
    const told = await ended(new OperationError('interrupted', 'two of three'), 'SIGTERM')
    expect(told).to.include({ message: 'two of three', exitCode: 143 })
  })

  it('leaves signals alone once the work is over, however it ended', async () => {
    const rig = new CliRig()
    await interruptible(rig.ports, async () => expect(rig.isListening).to.equal(true))
    expect(rig.isListening).to.equal(false)
    await interruptible(rig.ports, () => Promise.reject(new Error('failed'))).catch(() => {})
    expect(rig.isListening).to.equal(false)
  })
})
