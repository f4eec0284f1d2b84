import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { Md5Lanes } from '../../src/kpl/md5-lanes.ts'
import { MessageDigests } from '../../src/kpl/message-digests.ts'

describe('MessageDigests', () => {
  for (const [how, makeLanes] of [
    ['with lanes', () => Md5Lanes.create()],
    ['without WebAssembly', () => undefined]
  ] as const) {
    it(`tells intact payloads from others, ${how}`, () => {
      const digests = new MessageDigests(makeLanes)
      const groups = [[], [10], [10, 10], [1, 200_000], [200_000, 1, 1, 1], [70_000, 5, 70_001, 80, 90, 3_000, 60]]
      for (const lengths of groups) {
        const payloads = lengths.map(signed)
        expect(digests.intact(payloads), `${lengths}`).to.deep.equal(payloads.map(() => true))
        for (const [broken, payload] of payloads.entries()) {
          for (const at of [4, payload.length - 1, payload.length - 16]) {
            payload[at] = (payload[at] as number) ^ 1
            expect(digests.intact(payloads), `${lengths}, ${broken}`).to.deep.equal(
              payloads.map((_, i) => i !== broken)
            )
            payload[at] = (payload[at] as number) ^ 1
          }
        }
      }
    })
  }

  it('makes lanes once, and not before several messages are there', () => {
    let made = 0
    const digests = new MessageDigests(() => {
      made++
      return undefined
    })
    digests.intact([signed(10)])
    // The long one would leave three lanes without work.
    digests.intact([signed(100_000), signed(10)])
    expect(made).to.equal(0)
    for (let i = 0; i < 3; i++) expect(digests.intact([signed(20), signed(20)])).to.deep.equal([true, true])
    expect([made, digests.lanes]).to.deep.equal([1, undefined])
  })
})

/** Four bytes, a message of so many bytes, its digest. */
function signed(length: number): Uint8Array {
  const payload = new Uint8Array(4 + length + 16).fill(length)
  payload.set(createHash('md5').update(payload.subarray(4, -16)).digest(), 4 + length)
  return payload
}
