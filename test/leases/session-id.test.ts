import { expect } from 'chai'
import { isSession, newSessionId, workerIdOf } from '../../src/leases/session-id.ts'
import { seededRandom } from '../../src/runtime/random.ts'

describe('newSessionId', () => {
  it('is the worker id and eight random letters and digits, other ones for every run', () => {
    const random = seededRandom(1)
    const [one, other] = [newSessionId('worker-1', random), newSessionId('worker-1', random)]
    expect(one).to.match(/^worker-1\/[0-9a-z]{8}$/)
    expect(other).not.to.equal(one)
  })
})

describe('isSession', () => {
  it('tells sessions from the workers of KCL', () => {
    for (const owner of ['a/00000000', 'host-12-abc/z9y8x7w6', 'team/a/0a1b2c3d', 'ä b/0a1b2c3d']) {
      expect(isSession(owner), owner).to.equal(true)
    }
    const foreign = [
      '',
      'ip-10-0-0-1:7f8e',
      'a',
      '/0a1b2c3d',
      'a/0a1b2c3',
      'a/0a1b2c3d4',
      'a/0A1B2C3D',
      'a/0a1b-c3d',
      'a/0a1b2c3d\n'
    ]
    for (const owner of foreign) expect(isSession(owner), owner).to.equal(false)
  })
})

describe('workerIdOf', () => {
  it('is what stands before the last slash', () => {
    expect(workerIdOf('worker-1/0a1b2c3d')).to.equal('worker-1')
    expect(workerIdOf('team/a/0a1b2c3d')).to.equal('team/a')
    expect(workerIdOf(newSessionId('x', seededRandom(7)))).to.equal('x')
  })
})
