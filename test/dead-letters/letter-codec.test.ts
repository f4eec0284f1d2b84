import { expect } from 'chai'
import {
  encodeDeadLetter,
  encodeDeadLetters,
  MAX_ERROR_MESSAGE,
  MAX_ERROR_NAME,
  parseDeadLetter
} from '../../src/dead-letters/letter-codec.ts'
import type { DeadLetter } from '../../src/processor/dead-letter.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'
import { aLetter, plain, thrownBy } from './letters.ts'

const ODD = [
  '\n',
  '\r',
  '"',
  '\\',
  '\0',
  '\u007f',
  '\u0085',
  '\u2028',
  '\ufffe',
  '\uffff',
  '\ud800',
  'ü',
  '🦆',
  'a',
  ' '
]

function randomText(random: Random): string {
  const length = Math.floor(random.next() * 12)
  return Array.from({ length }, () => ODD[Math.floor(random.next() * ODD.length)]).join('')
}

function randomLetter(random: Random): DeadLetter {
  const number = (below: number): number => Math.floor(random.next() * below)
  const data = Uint8Array.from({ length: number(50) }, () => number(256))
  return aLetter({
    partitionKey: randomText(random),
    stream: randomText(random),
    sequenceNumber: String(number(2 ** 40)),
    subSequenceNumber: number(1_000),
    // A view on a part of something else, as payloads are.
    data: Uint8Array.from([1, 2, ...data, 3]).subarray(2, 2 + data.length),
    ...(random.next() < 0.5 && { explicitHashKey: String(2n ** 128n - BigInt(number(99) + 1)) }),
    attempts: number(20),
    error: { name: randomText(random), message: randomText(random) }
  })
}

describe('encodeDeadLetter', () => {
  it('writes one line of JSON with the fields of the letter', () => {
    expect(encodeDeadLetter(aLetter({ explicitHashKey: '5' }))).to.equal(
      '{"version":1,"stream":"orders","applicationName":"billing","shardId":"shardId-000000000000",' +
        '"sequenceNumber":"49600000000000000000000000000000000000000000000000000001","subSequenceNumber":0,' +
        '"partitionKey":"customer-7","explicitHashKey":"5","arrivedAtMs":1893456000000,"givenUpAtMs":1893456100000,' +
        '"attempts":10,"error":{"name":"TypeError","message":"no such customer"},"data":"cGF5bG9hZA=="}'
    )
  })

  it('cuts the text of an error that is very long', () => {
    const error = { name: 'n'.repeat(10_000), message: 'm'.repeat(100_000) }
    const { error: read } = parseDeadLetter(encodeDeadLetter(aLetter({ error })))
    expect(read).to.deep.equal({ name: 'n'.repeat(MAX_ERROR_NAME), message: 'm'.repeat(MAX_ERROR_MESSAGE) })
  })

  it('uses no character that SQS refuses, or that some take for the end of a line', () => {
    const line = encodeDeadLetter(aLetter({ partitionKey: ODD.join('') }))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones
    expect(line).not.to.match(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff\ufffe\uffff]/u)
    expect(parseDeadLetter(line).partitionKey).to.equal(ODD.join(''))
  })
})

describe('parseDeadLetter', () => {
  it('reads what encodeDeadLetter wrote, exactly', () => {
    for (const seed of seeds(200)) {
      const letter = randomLetter(seededRandom(seed))
      const [read] = plain([parseDeadLetter(encodeDeadLetter(letter))])
      expect(read, `SEED=${seed}`).to.deep.equal(plain([letter])[0])
      const [fromBytes] = plain([parseDeadLetter(encodeDeadLetters([letter]))])
      expect(fromBytes, `SEED=${seed}`).to.deep.equal(read)
    }
  })

  it('keeps what is not known of a record unknown', () => {
    const { arrivedAtMs: _, ...letter } = aLetter()
    expect(parseDeadLetter(encodeDeadLetter(letter))).to.have.keys(Object.keys(letter))
  })

  it('ignores fields that it does not know', () => {
    const line = encodeDeadLetter(aLetter()).replace('{', '{"new":[1],"__proto__":{"attempts":3},')
    expect(plain([parseDeadLetter(line)])).to.deep.equal(plain([aLetter()]))
  })

  it('refuses every beginning of a letter, and quotes nothing of it', () => {
    const line = encodeDeadLetter(aLetter())
    for (let length = 0; length < line.length; length++) {
      const { name, message } = thrownBy(() => parseDeadLetter(line.slice(0, length), 'line 3'))
      expect(name).to.equal('SyntaxError')
      expect(message).to.match(/^line 3 is no dead letter: it is not JSON, or only the beginning of it \(\d+ long\)$/)
    }
  })

  it('refuses bytes that are no text', () => {
    expect(() => parseDeadLetter(Buffer.from([0xff, 0xfe]))).to.throw(SyntaxError, /is not JSON/)
  })

  const broken: [change: object, problem: string][] = [
    [{ version: 2 }, 'field version is 2, expected 1: a letter of another version of Millrace'],
    [{ version: undefined }, 'field version is missing, expected a number'],
    [{ stream: 5 }, 'field stream is a number, expected text'],
    [{ sequenceNumber: 'secret' }, 'field sequenceNumber is no number, expected decimal digits in quotes'],
    [{ subSequenceNumber: -1 }, 'field subSequenceNumber is -1, expected a whole number from 0'],
    [{ attempts: 1.5 }, 'field attempts is 1.5, expected a whole number from 0'],
    [{ partitionKey: null }, 'field partitionKey is null, expected text'],
    [{ explicitHashKey: 'x' }, 'field explicitHashKey is no number, expected decimal digits in quotes'],
    [{ arrivedAtMs: 'secret' }, 'field arrivedAtMs is a string, expected a number'],
    [{ error: 'secret' }, 'field error is a string, expected an object'],
    [{ error: { name: 'E' } }, 'field error.message is missing, expected text'],
    [{ data: ['secret'] }, 'field data is an array, expected text'],
    [{ data: 'c2VjcmV' }, 'field data is not base64, or only a part of it'],
    [{ data: 'c2V*cmV0' }, 'field data is not base64, or only a part of it']
  ]
  for (const [change, problem] of broken) {
    it(`says where and what: ${problem}`, () => {
      const json = JSON.stringify({ ...JSON.parse(encodeDeadLetter(aLetter())), ...change })
      const { name, message } = thrownBy(() => parseDeadLetter(json, 'line 3'))
      expect(name).to.equal('SyntaxError')
      expect(message).to.equal(`line 3 is no dead letter: ${problem}`)
    })
  }

  it('refuses JSON that is no object', () => {
    for (const [json, kind] of [
      ['null', 'null'],
      ['[]', 'an array'],
      ['"secret"', 'a string']
    ] as const) {
      expect(thrownBy(() => parseDeadLetter(json)).message).to.equal(
        `the text is no dead letter: it is ${kind}, expected an object`
      )
    }
  })
})
