import { expect } from 'chai'
import { nearestKey } from '../../src/multilang/nearest-key-rules.ts'

describe('nearestKey', () => {
  const CASES: readonly (readonly [string, string | undefined])[] = [
    ['StreamName', 'streamName'],
    ['maxRecrods', 'maxRecords'],
    ['RetrievalMode', 'retrievalMode'],
    ['failoverTimeMilis', 'failoverTimeMillis'],
    ['millrace.shardPerChild', 'millrace.shardsPerChild'],
    ['somethingElse', undefined],
    ['x', undefined]
  ]
  for (const [given, expected] of CASES) {
    it(`takes ${given} for ${expected ?? 'nothing known'}`, () => expect(nearestKey(given)).to.equal(expected))
  }
})
