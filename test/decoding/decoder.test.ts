import { type } from 'arktype'
import { expect } from 'chai'
import * as v from 'valibot'
import { z } from 'zod'
import { asDecodeFunction, type Decode } from '../../src/decoding/decoder.ts'
import { RecordUndecodableError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'

const aRecord = (text: string): ConsumedRecord =>
  new ConsumedRecord({ sequenceNumber: '49', partitionKey: 'key', data: new TextEncoder().encode(text) })

/** What a text is decoded to, or why it is not. */
async function decoded(decode: Decode<unknown>, text: string): Promise<unknown> {
  try {
    return await asDecodeFunction('decode', decode)(aRecord(text))
  } catch (error) {
    return error
  }
}

class Length {
  readonly #factor = 2
  decode(record: ConsumedRecord): number {
    return record.byteLength * this.#factor
  }
}

const SCHEMAS: Readonly<Record<string, Decode<unknown>>> = {
  zod: z.object({ id: z.string(), lines: z.array(z.object({ cents: z.number() })).default([]) }),
  valibot: v.object({ id: v.string(), lines: v.optional(v.array(v.object({ cents: v.number() })), []) }),
  arktype: type({
    id: 'string',
    lines: type({ cents: 'number' })
      .array()
      .default(() => [])
  }),
  'zod, which waits': z.object({ id: z.string().refine(async id => id !== ''), lines: z.any().default([]) })
}

describe('asDecodeFunction', () => {
  it('takes a function, and an object with a method', async () => {
    expect(await decoded(record => record.text(), 'abc')).to.equal('abc')
    expect(await decoded(new Length(), 'abc')).to.equal(6)
  })

  for (const [name, schema] of Object.entries(SCHEMAS)) {
    it(`takes a schema of ${name}: what it makes of JSON is the value`, async () => {
      expect(await decoded(schema, '{"id":"o-1"}')).to.deep.equal({ id: 'o-1', lines: [] })
    })

    it(`says where a record does not fit a schema of ${name}, and quotes nothing of it`, async () => {
      const error = (await decoded(schema, '{"id":77,"secret":"4111"}')) as RecordUndecodableError
      expect(error).to.be.instanceOf(RecordUndecodableError)
      expect(error.reason).to.equal('schema-mismatch')
      expect(error.message).to.equal('Record 49#0 could not be decoded: it does not fit the schema: 1 issue at id')
      expect(error.issues[0]?.message).to.be.a('string').and.not.equal('')
      expect(JSON.stringify(error)).to.not.include('issues')
    })
  }

  it('names the first of many issues', async () => {
    const { message } = (await decoded(SCHEMAS.zod as Decode<unknown>, '{"lines":[{"cents":1},{}]}')) as Error
    expect(message).to.match(/2 issues, the first at id$/)
    const top = (await decoded(SCHEMAS.valibot as Decode<unknown>, '7')) as Error
    expect(top.message).to.match(/1 issue at the top$/)
  })

  it('says of a schema that a record is no JSON', async () => {
    const error = await decoded(SCHEMAS.zod as Decode<unknown>, '{"id": secret')
    expect(error).to.include({ reason: 'not-json' })
    expect((error as Error).message).to.equal('Record 49#0 could not be decoded: its 13 bytes are not JSON')
  })
})
