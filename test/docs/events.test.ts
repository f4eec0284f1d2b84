// docs/events.md has every event and every error; README.md has every method of a record processor.
import { expect } from 'chai'
import * as api from '../../src/index.ts'
import * as errors from '../../src/model/errors.ts'
import { WORKER_EVENT_NAMES } from '../../src/worker/events.ts'
import { codeIn, rowsUnder } from '../support/pages.ts'

describe('docs/events.md', () => {
  it('lists every event, and no other', () => {
    const names = rowsUnder('docs/events.md', 'Events').flatMap(([cell = '']) => codeIn(cell))
    expect(names.sort()).to.deep.equal([...WORKER_EVENT_NAMES].sort())
  })

  it('lists every error class with its code, and no other', () => {
    const told = rowsUnder('docs/events.md', 'Errors').map(([name = '', code = '']) => [
      ...codeIn(name),
      ...codeIn(code)
    ])
    const known = Object.entries(errors).flatMap(([name, value]) => {
      const { code } = Object(value) as { readonly code?: string }
      return typeof code === 'string' ? [[name, code]] : []
    })
    expect(known.length).to.be.greaterThan(10)
    expect(told.sort()).to.deep.equal(known.sort())
  })
})

describe('README.md', () => {
  it('lists every method of a record processor, and no other', () => {
    const names = rowsUnder('README.md', 'A class instead of a function').flatMap(([cell = '']) => codeIn(cell))
    const methods = Object.getOwnPropertyNames(api.RecordProcessor.prototype).filter(name => name !== 'constructor')
    expect(names.sort()).to.deep.equal([...methods, 'processRecords'].sort())
  })
})
