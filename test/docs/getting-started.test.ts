// docs/getting-started.md, taken by its own commands: a reader who copies them gets to a running consumer, and sees what is shown.
import { expect } from 'chai'
import { patternOf, stepsOf } from '../support/page-steps.ts'
import { takeTour } from '../support/tour.ts'

const PAGE = 'docs/getting-started.md'
const WORKERS = ['second', 'third']
/** What the page promises, reading included. */
const PROMISED_SECONDS = 300

describe('docs/getting-started.md', () => {
  it('leads from an empty folder to consumers that run, crash and hand over, with the commands as they are printed', async function () {
    this.timeout(240_000)
    const { steps, seconds } = await takeTour({ page: PAGE, from: 'repository', workers: WORKERS, stepMs: 60_000 })
    expect(steps).to.be.greaterThan(15)
    console.log(`      the commands of ${PAGE} took ${seconds.toFixed(0)} s`)
    expect(seconds).to.be.lessThan(PROMISED_SECONDS)
  })

  it('has steps that are done, and commands for AWS that are not', () => {
    const steps = stepsOf(PAGE)
    const pasted = steps.flatMap(step => (step.kind === 'paste' ? step.text : []))
    expect(pasted.filter(text => text.includes('npx millrace run'))).to.have.length(3)
    expect(pasted.filter(text => text.includes('--region'))).to.deep.equal([])
    expect(steps.map(({ kind }) => kind)).to.include.members(['paste', 'see', 'interrupt', 'close'])
  })

  it('shows lines that only amounts, ports and workers may differ in', () => {
    const line = 'orders → printer   ● green   2 workers   850 ms behind   second leads'
    expect(
      patternOf(line, WORKERS).test('orders → printer   ● green   2 workers   1.2 s behind   third leads')
    ).to.equal(true)
    expect(
      patternOf(line, WORKERS).test('orders → printer   ● red   2 workers   850 ms behind   second leads')
    ).to.equal(false)
    expect(
      patternOf(line, WORKERS).test('orders → printer   ● green   1 worker   850 ms behind   second leads')
    ).to.equal(false)
    const local = 'export AWS_ENDPOINT_URL_KINESIS=http://127.0.0.1:4567'
    expect(patternOf(local, []).test('a\nexport AWS_ENDPOINT_URL_KINESIS=http://127.0.0.1:35421\nb')).to.equal(true)
    expect(patternOf('shard 0 customer-7 tea', []).test('shard 0 customer-8 tea')).to.equal(false)
  })
})
