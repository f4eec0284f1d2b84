import { expect } from 'chai'
import { SharedRun } from '../../src/shards/shared-run.ts'

interface Started {
  readonly signal: AbortSignal
  readonly resolve: (result: string) => void
  readonly reject: (error: Error) => void
}

function aSharedRun(): { run: SharedRun<string>; started: Started[] } {
  const started: Started[] = []
  const work = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve, reject) => started.push({ signal, resolve, reject }))
  return { run: new SharedRun(work), started }
}

const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('SharedRun', () => {
  it('serves all who ask during a run with one run after it', async () => {
    const { run, started } = aSharedRun()
    const first = run.ask()
    await settled()
    const [second, third] = [run.ask(), run.ask()]
    await settled()
    expect(started).to.have.lengthOf(1)
    started[0]?.resolve('one')
    expect(await first).to.equal('one')
    await settled()
    started[1]?.resolve('two')
    expect(await Promise.all([second, third])).to.deep.equal(['two', 'two'])
    expect(started).to.have.lengthOf(2)
  })

  it('runs again after a run that failed', async () => {
    const { run, started } = aSharedRun()
    const outcomes = Promise.allSettled([run.ask(), settled().then(() => run.ask())])
    await settled()
    await settled()
    started[0]?.reject(new Error('no'))
    await settled()
    started[1]?.resolve('two')
    expect((await outcomes).map(({ status }) => status)).to.deep.equal(['rejected', 'fulfilled'])
    void run.ask()
    await settled()
    expect(started).to.have.lengthOf(3)
  })

  it('goes on while somebody waits, and stops once nobody does', async () => {
    const { run, started } = aSharedRun()
    const [a, b] = [new AbortController(), new AbortController()]
    const outcomes = Promise.allSettled([run.ask(a.signal), run.ask(b.signal)])
    await settled()
    a.abort()
    expect(started[0]?.signal.aborted).to.equal(false)
    b.abort()
    expect(started[0]?.signal.aborted).to.equal(true)
    expect((await outcomes).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected'])
  })

  it('does not hand a run that was given up to those who ask later', async () => {
    const { run, started } = aSharedRun()
    const first = run.ask()
    await settled()
    const leaving = new AbortController()
    const second = run.ask(leaving.signal).catch(() => 'left')
    leaving.abort()
    const third = run.ask()
    started[0]?.resolve('one')
    expect(await first).to.equal('one')
    expect(await second).to.equal('left')
    await settled()
    started[1]?.resolve('three')
    expect(await third).to.equal('three')
  })

  it('rejects at once if the signal has aborted', async () => {
    const { run, started } = aSharedRun()
    expect(await run.ask(AbortSignal.abort(new Error('stop'))).catch(error => error.message)).to.equal('stop')
    expect(started).to.have.lengthOf(0)
  })
})
