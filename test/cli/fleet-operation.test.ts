import { expect } from 'chai'
import { progressTeller } from '../../src/cli/fleet-operation.ts'
import { CliRig } from '../support/cli-rig.ts'

describe('progressTeller', () => {
  it('tells a person when something has changed, and a program nothing', () => {
    const rig = new CliRig()
    const tell = progressTeller(rig.context())
    const left = Array.from({ length: 7 }, (_, n) => ({ shardId: `shardId-00000000000${n}`, owner: 'w1/abcdefgh' }))
    tell({ step: 'queueing', left: [], behind: 'a reset by ann' })
    tell({ step: 'waiting', left })
    tell({ step: 'waiting', left })
    tell({ step: 'waiting', left: left.slice(0, 1) })
    tell({ step: 'writing', left })
    tell({ step: 'done', left: [] })
    expect(rig.stderr.lines).to.deep.equal([
      'waiting until a reset by ann is over',
      'waiting until shards 0 (w1), 1 (w1), 2 (w1), 3 (w1), 4 (w1) and 2 more are let go of',
      'waiting until shard 0 (w1) is let go of',
      'writing 7 leases'
    ])
    rig.stderr.text = ''
    progressTeller(rig.context({ json: true }))({ step: 'waiting', left })
    expect(rig.stderr.text).to.equal('')
  })
})
