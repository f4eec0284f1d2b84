import { stripVTControlCharacters } from 'node:util'
import { expect } from 'chai'
import { CliFleet } from '../support/cli-fleet.ts'

describe('millrace watch', () => {
  let fleet: CliFleet

  beforeEach(async () => {
    fleet = new CliFleet()
    fleet.rig.env = { NO_COLOR: '1' }
    await fleet.start()
  })

  afterEach(() => fleet.world.stopAll())

  it('shows the fleet again and again, until Ctrl-C', async () => {
    fleet.rig.stdout.isTTY = true
    const watching = fleet.begin('watch', '--every', '1s')
    await fleet.world.clock.advance(5_000)
    expect(fleet.rig.stdout.text).to.include('2 workers')
    await fleet.world.stopAll()
    await fleet.world.clock.advance(5_000)
    expect(fleet.rig.stdout.text).to.include('no workers')
    fleet.rig.signal()
    expect(await fleet.world.await(watching)).to.equal(0)
    expect(fleet.rig.stderr.text).to.equal('')
  })

  it('goes on when the services are away for a while', async () => {
    fleet.rig.stdout.isTTY = true
    const watching = fleet.begin('watch', '--every', '1s', '--no-lag')
    await fleet.world.clock.advance(3_000)
    fleet.world.kinesis.intercept = ({ name }) => {
      if (name === 'listShards') throw new Error('the network is gone')
    }
    await fleet.world.clock.advance(3_000)
    expect(fleet.rig.stdout.text).to.match(/no answer for [23]\.0 s, trying again: .*the network is gone/)
    fleet.world.kinesis.intercept = undefined
    const before = fleet.rig.stdout.text.length
    await fleet.world.clock.advance(3_000)
    expect(fleet.rig.stdout.text.slice(before)).to.include('2 workers')
    fleet.rig.signal()
    expect(await fleet.world.await(watching)).to.equal(0)
  })

  it('gives the terminal back at once on Ctrl-C, with the last page on it', async () => {
    fleet.rig.stdout.isTTY = true
    const watching = fleet.begin('watch', '--every', '1s', '--no-lag')
    await fleet.world.clock.advance(3_000)
    const { stdout } = fleet.rig
    const before = stdout.text.length
    fleet.rig.signal()
    const after = stdout.text.slice(before)
    expect(after.startsWith('\u001b[?25h\u001b[?1049l')).to.equal(true)
    expect(after).to.include('2 workers')
    expect(await fleet.world.await(watching)).to.equal(0)
  })

  it('makes the page for the size that the terminal has now', async () => {
    fleet.rig.stdout.isTTY = true
    const watching = fleet.begin('watch', '--every', '60s', '--no-lag')
    await fleet.world.clock.advance(3_000)
    const { stdout } = fleet.rig
    stdout.text = ''
    Object.assign(stdout, { columns: 44, rows: 9 })
    stdout.emit('resize')
    const [, ...lines] = stripVTControlCharacters(stdout.text).split('\r\n')
    expect(lines).to.have.lengthOf(8)
    for (const line of lines) expect(line.length).to.be.below(44)
    fleet.rig.signal()
    expect(await fleet.world.await(watching)).to.equal(0)
  })

  it('says that no answer comes while calls are made again', async () => {
    fleet.rig.stdout.isTTY = true
    const watching = fleet.begin('watch', '--every', '1s', '--no-lag')
    await fleet.world.clock.advance(3_000)
    fleet.world.kinesis.intercept = async ({ name }) => {
      if (name === 'listShards') await fleet.world.clock.sleep(20_000)
    }
    await fleet.world.clock.advance(12_000)
    expect(fleet.rig.stdout.text).to.match(/no answer for 1\d\.0 s, trying again/)
    fleet.rig.signal()
    expect(await fleet.world.await(watching)).to.equal(0)
  })

  it('ends with what is wrong if there never was anything to see', async () => {
    fleet.rig.stdout.isTTY = true
    fleet.world.kinesis.intercept = ({ name }) => {
      if (name === 'listShards') throw new Error('not for you')
    }
    expect(await fleet.run('watch', '--no-lag')).to.equal(1)
    expect(fleet.rig.stderr.text).to.include('not for you')
  })

  it('gives a program a line of JSON for each look', async () => {
    const watching = fleet.begin('watch', '--every', '1s', '--json')
    await fleet.world.clock.advance(10_000)
    fleet.rig.signal()
    expect(await fleet.world.await(watching)).to.equal(0)
    expect(fleet.rig.stdout.objects.length).to.be.within(8, 11)
    expect(fleet.rig.stdout.objects.at(-1)).to.include({ color: 'green' }).and.include.keys('lag', 'workers')
  })

  it('refuses to draw where there is no terminal, or a dumb one, and to look too often', async () => {
    fleet.rig.stdout.isTTY = true
    fleet.rig.env = { TERM: 'dumb' }
    expect(await fleet.run('watch')).to.equal(2)
    fleet.rig.stdout.isTTY = false
    expect(await fleet.run('watch')).to.equal(2)
    expect(fleet.rig.stderr.text).to.include('there is millrace status')
    expect(await fleet.run('watch', '--json', '--every', '10ms')).to.equal(2)
  })
})
