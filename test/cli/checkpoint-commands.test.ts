import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { CliFleet } from '../support/cli-fleet.ts'
import { pollUntil } from '../support/poll.ts'

describe('millrace export and import', () => {
  let fleet: CliFleet
  let folder: string

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-export-'))
    fleet = new CliFleet()
    await fleet.start()
  })

  afterEach(async () => {
    await fleet.world.stopAll()
    rmSync(folder, { recursive: true, force: true })
  })

  const exportTo = async (file: string): Promise<number> => {
    let code: number | undefined
    // Writing a file takes time of another kind than that of the fleet.
    void fleet.begin('export', file).then(outcome => {
      code = outcome
    })
    await pollUntil('the export', async () => {
      await fleet.world.clock.advance(10)
      return code !== undefined
    })
    return code ?? Number.NaN
  }

  it('bring an application back to where it was', async () => {
    const { world } = fleet
    world.putMany(40)
    await world.untilDelivered()
    await world.clock.advance(10_000)
    const file = join(folder, 'checkpoints.json')
    expect(await exportTo(file), fleet.rig.stderr.text).to.equal(0)
    expect(fleet.rig.stderr.text).to.equal(`the checkpoints of 4 shards are in ${file}\n`)
    world.putMany(40)
    await world.untilDelivered()
    await world.clock.advance(10_000)
    const before = world.ledger.deliveries.length
    expect(await fleet.run('import', file, '--yes'), fleet.rig.stderr.text).to.equal(0)
    expect(fleet.rig.stdout.text).to.match(/4 shards reset/)
    await world.clock.advance(30_000)
    const again = world.ledger.deliveries.slice(before).map(({ id }) => id)
    expect(new Set(again)).to.deep.equal(new Set(Array.from({ length: 40 }, (_, n) => n + 40)))
  })

  it('write to standard output without a file, and not over one that is there', async () => {
    expect(await fleet.run('export')).to.equal(0)
    expect(JSON.parse(fleet.rig.stdout.text)).to.include({ format: 'millrace-checkpoints', applicationName: 'app' })
    const file = join(folder, 'there.json')
    writeFileSync(file, 'precious')
    expect(await exportTo(file)).to.equal(2)
    expect(readFileSync(file, 'utf8')).to.equal('precious')
    expect(fleet.rig.stderr.text).to.include('which cannot be written')
  })

  it('ask first, and refuse what is no export', async () => {
    const file = join(folder, 'x.json')
    writeFileSync(file, '{"format":"other"}')
    expect(await fleet.run('import', file)).to.equal(2)
    expect(fleet.rig.stderr.text)
      .to.include('This has app begin again at the checkpoints in')
      .and.include('nobody to ask')
    expect(await fleet.run('import', file, '--yes')).to.equal(2)
    writeFileSync(file, 'no JSON')
    expect(await fleet.run('import', file, '--yes')).to.equal(2)
    expect(fleet.rig.stderr.text).to.include('expected JSON as millrace export writes it')
    expect(await fleet.run('import', join(folder, 'none.json'), '--yes')).to.equal(2)
  })
})
