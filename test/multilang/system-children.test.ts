import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { SystemChildren } from '../../src/multilang/system-children.ts'
import { pollUntil } from '../support/poll.ts'
import { isAlive } from '../support/process-group.ts'

const DAEMON = new URL('orphaning-daemon.ts', import.meta.url).pathname

describe('SystemChildren', () => {
  it('are started with the environment of this process, without a shell, and get every argument as it is', async () => {
    const door = new SystemChildren(0)
    const print = 'console.log(JSON.stringify([process.env.PATH, process.cwd(), ...process.argv.slice(1)]))'
    const child = door.spawn([process.execPath, '-e', print, '$HOME', '*', ''])
    const [said] = await once(child.stdout.setEncoding('utf8'), 'data')
    expect(JSON.parse(said)).to.deep.equal([process.env.PATH, process.cwd(), '$HOME', '*', ''])
    await once(child, 'close')
    door.gone(child)
    // There is nothing left of it to be signalled.
    door.signal(child, 'SIGTERM')
  })

  it('do not outlive a daemon that is killed, whatever they do', async () => {
    const daemon = spawn(process.execPath, ['--import', 'tsx', DAEMON], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [said] = await once(daemon.stdout.setEncoding('utf8'), 'data')
    const pids = JSON.parse(said) as number[]
    expect(pids).to.have.length(2)
    expect(pids.map(isAlive)).to.deep.equal([true, true])
    daemon.kill('SIGKILL')
    await pollUntil('the children to be gone', () => !pids.some(isAlive))
  })
})
