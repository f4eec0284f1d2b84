import { expect } from 'chai'
import { runMetrics } from '../../src/cli/run-metrics.ts'

const NOTHING = { count: () => {}, gauge: () => {}, time: () => {} }

describe('runMetrics', () => {
  it('are those of Prometheus where its client is installed', async () => {
    const { metrics, served } = await runMetrics(undefined)
    expect(metrics).to.have.property('count')
    expect(served?.contentType).to.match(/^text\/plain/)
    expect(await served?.text()).to.be.a('string')
  })

  it('are none where it is not', async () => {
    expect(await runMetrics(undefined, () => Promise.reject(new Error('Cannot find package')))).to.deep.equal({})
  })

  it('leave those of the module where they go, and serve them if they can be', async () => {
    const load = () => Promise.reject(new Error('loaded'))
    expect(await runMetrics(NOTHING, load)).to.deep.equal({})
    const own = { ...NOTHING, contentType: 'text/plain', text: () => 'up 1' }
    expect(await runMetrics(own, load)).to.deep.equal({ served: own })
  })
})
