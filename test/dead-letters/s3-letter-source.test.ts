import { expect } from 'chai'
import { s3DeadLetters } from '../../src/dead-letters/s3-dead-letters.ts'
import { readS3DeadLetters, type S3LettersOptions } from '../../src/dead-letters/s3-letter-source.ts'
import { OptionError } from '../../src/model/errors.ts'
import { FakeS3, s3Refusal } from './fake-s3.ts'
import { findAll, impatient, noAbort, rejection, someLetters } from './letters.ts'

describe('readS3DeadLetters', () => {
  let s3: FakeS3
  const source = (options: Partial<S3LettersOptions> = {}) =>
    readS3DeadLetters({ bucket: 'letters', client: s3.client, ...options }, impatient())
  const numbers = (all: Awaited<ReturnType<typeof findAll>>) => all.map(({ letter }) => Number(letter?.sequenceNumber))

  beforeEach(async () => {
    s3 = new FakeS3()
    await s3.server.listen()
    const bucket = s3DeadLetters({ bucket: 'letters', prefix: 'dead', client: s3.client }, impatient())
    // Five objects: two letters each.
    for (let n = 0; n < 5; n++) await bucket.store(someLetters(2, {}, 10 + 2 * n), noAbort())
    s3.calls.length = 0
  })
  afterEach(() => s3.server.close())

  it('finds all letters in the order of the keys, page by page, and deletes nothing', async () => {
    s3.objects.set('dead/other.txt', { body: Buffer.from('?'), contentType: 'text/plain' })
    const found = await findAll(source({ prefix: 'dead/' }), true)
    expect(numbers(found)).to.deep.equal([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
    expect(found[1]?.at).to.match(/^line 2 of s3:\/\/letters\/dead\/billing\/orders\/.*\.jsonl$/)
    expect(s3.calls.filter(call => call === 'GET list')).to.have.length(3)
    expect(s3.objects.size).to.equal(6)
  })

  it('finds only what begins with the prefix', async () => {
    expect(await findAll(source({ prefix: 'dead/billing/other/' }))).to.deep.equal([])
    expect(await findAll(source())).to.have.length(10)
  })

  it('deletes an object once all of its letters are done with, if it is to', async () => {
    let n = 0
    for await (const { settle } of source({ deleteWhenDone: true }).letters(noAbort())) await settle(n++ !== 3)
    expect(s3.objects.size).to.equal(1)
    expect(numbers(await findAll(source()))).to.deep.equal([12, 13])
  })

  it('deletes no object that it was not done with', async () => {
    for await (const { settle } of source({ deleteWhenDone: true }).letters(noAbort())) {
      await settle(true)
      break
    }
    expect(s3.objects.size).to.equal(5)
  })

  it('says what is no letter, and keeps it', async () => {
    s3.objects.clear()
    s3.objects.set('a.jsonl', { body: Buffer.from('{}\n'), contentType: 'text/plain' })
    const [found] = await findAll(source({ deleteWhenDone: true }), false)
    expect(found?.error?.message).to.equal(
      'line 1 of s3://letters/a.jsonl is no dead letter: field version is missing, expected a number'
    )
    expect(s3.objects.size).to.equal(1)
  })

  it('passes over an object that is deleted meanwhile', async () => {
    s3.fault = call => {
      if (call.startsWith('GET dead') && call.includes('00012-')) s3.objects.delete(call.slice(4))
      return undefined
    }
    expect(numbers(await findAll(source()))).to.deep.equal([10, 11, 14, 15, 16, 17, 18, 19])
  })

  it('tries again what fails in a way that passes, and rejects with what does not', async () => {
    const faults = [s3Refusal(503, 'SlowDown'), s3Refusal(500, 'InternalError')]
    s3.fault = () => faults.shift()
    expect(await findAll(source())).to.have.length(10)
    s3.fault = () => s3Refusal(404, 'NoSuchBucket')
    expect((await rejection(findAll(source()))).message).to.match(/^ListObjectsV2 to bucket letters: NoSuchBucket/)
  })

  it('ends when the signal aborts', async () => {
    const controller = new AbortController()
    let found = 0
    for await (const _ of source().letters({ signal: controller.signal })) {
      found += 1
      controller.abort()
    }
    expect(found).to.equal(1)
  })

  it('refuses bad options by name', () => {
    expect(() => source({ bucket: '' })).to.throw(OptionError, /^Option bucket: is ""/)
    expect(() => source({ delete: true } as never)).to.throw(OptionError, /^Option delete: is not known/)
  })
})
