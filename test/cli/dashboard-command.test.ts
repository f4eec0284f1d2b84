// The command beside a fleet in virtual time; what the page is told comes from that fleet.
import { expect } from 'chai'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { NOTHING_READ, readEvents } from '../../src/dashboard/event-stream-rules.ts'
import type { Frame } from '../../src/dashboard/snapshot.ts'
import { CliFleet } from '../support/cli-fleet.ts'

describe('millrace dashboard', () => {
  let fleet: CliFleet

  beforeEach(async () => {
    fleet = new CliFleet()
    await fleet.start()
  })

  afterEach(() => fleet.world.stopAll())

  /** The address that it prints. */
  const addressOf = async (
    ...flags: readonly string[]
  ): Promise<{ readonly url: URL; readonly done: Promise<number> }> => {
    const done = fleet.begin('dashboard', '--port', '0', ...flags)
    await fleet.rig.stdout.until(text => text.includes('\n'))
    return { url: new URL(fleet.rig.stdout.lines[0] ?? ''), done }
  }

  it('serves the fleet, read-only, until Ctrl-C', async () => {
    const { url, done } = await addressOf()
    expect(url.hash).to.equal('')
    expect(fleet.rig.stderr.text).to.include('read-only')
    const response = await fetch(new URL('api/stream', url))
    const reader = response.body?.getReader()
    let rest = NOTHING_READ
    const frames: Frame[] = []
    while (!frames.some(frame => frame.kind === 'change' && frame.shards !== undefined)) {
      const { value } = (await reader?.read()) ?? {}
      const read = readEvents(rest, new TextDecoder().decode(value))
      rest = read.rest
      frames.push(...read.events.map(({ data }) => JSON.parse(data)))
    }
    const change = frames.find(frame => frame.kind === 'change' && frame.shards !== undefined)
    expect(change?.kind === 'change' && change.shards?.put.length).to.equal(4)
    await reader?.cancel()
    fleet.rig.signal()
    expect(await done).to.equal(EXIT.ok)
  })

  it('makes a token if none is given, and takes that of the environment before', async () => {
    const { url, done } = await addressOf('--token')
    expect(url.hash).to.match(/^#token=[\w-]{32}$/)
    fleet.rig.signal()
    await done
    fleet.rig.env = { MILLRACE_TOKEN: 'of-the-environment' }
    const other = await addressOf('--token')
    expect(other.url.hash).to.equal('#token=of-the-environment')
    fleet.rig.signal()
    await other.done
  })

  it('is not served to others without a token', async () => {
    expect(await fleet.run('dashboard', '--host', '0.0.0.0', '--port', '0')).to.equal(EXIT.usage)
    expect(fleet.rig.stderr.text).to.include('token')
  })

  for (const flags of [
    ['--port', 'x'],
    ['--every', '1'],
    ['--every', '1ms'],
    ['--token', 'short']
  ]) {
    it(`refuses ${flags.join(' ')}`, async () => {
      expect(await fleet.run('dashboard', ...flags)).to.equal(EXIT.usage)
    })
  }
})
