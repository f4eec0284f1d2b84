import { expect } from 'chai'
import * as api from '../../src/dashboard/index.ts'

describe('millrace/dashboard', () => {
  it('exports this and no more', () => {
    expect(Object.keys(api)).to.deep.equal(['serveDashboard'])
  })
})
