import { expect } from 'chai'
import {
  BugError,
  CheckpointRefusedError,
  LeaseLostError,
  ServiceError,
  ThrottledError,
  WorkerStoppedError
} from '../../src/model/errors.ts'
import { errorNameOf } from '../../src/multilang/error-name-rules.ts'

const ROWS: readonly (readonly [name: string, error: unknown])[] = [
  ['ThrottlingException', new ThrottledError('slow down')],
  ['ShutdownException', new LeaseLostError('a', 'another worker has it')],
  ['ShutdownException', new WorkerStoppedError('it stops')],
  ['InvalidStateException', new ServiceError('not-found', 'no table', { retryable: false })],
  ['InvalidStateException', new CheckpointRefusedError('void', 'not now')],
  ['KinesisClientLibDependencyException', new ServiceError('timeout', 'no answer', { retryable: true })],
  ['KinesisClientLibDependencyException', new ServiceError('access-denied', 'no', { retryable: false })],
  ['IllegalArgumentException', new CheckpointRefusedError('behind', 'back')],
  ['IllegalArgumentException', new CheckpointRefusedError('ahead', 'ahead')],
  ['IllegalArgumentException', new CheckpointRefusedError('malformed', 'odd')],
  ['BugError', new BugError('odd')],
  ['TypeError', new TypeError('x is not a function')],
  ['RuntimeException', 'a text']
]

describe('errorNameOf', () => {
  for (const [name, error] of ROWS) {
    it(`is ${name} for ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`, () => {
      expect(errorNameOf(error)).to.equal(name)
    })
  }
})
