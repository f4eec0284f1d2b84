import { expect } from 'chai'
import { loadPeer } from '../../src/cli/peers.ts'

describe('loadPeer', () => {
  it('gives what was loaded', async () => {
    expect(await loadPeer('x', async () => 5)).to.equal(5)
  })

  it('says what to install if it is missing', async () => {
    const missing = 'no-such-package-here'
    const error = await loadPeer('@aws-sdk/client-s3', () => import(missing)).catch(thrown => thrown)
    expect(error).to.include({ kind: 'not-found', retryable: false })
    expect(error.message).to.equal('@aws-sdk/client-s3 is missing here: npm install @aws-sdk/client-s3')
  })

  it('says what is wrong with it otherwise', async () => {
    const error = await loadPeer('x', () => Promise.reject(new Error('broken'))).catch(thrown => thrown)
    expect(error.message).to.equal('x cannot be loaded: broken')
  })
})
