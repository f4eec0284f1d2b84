// Reads the records of an answer of GetRecords in JSON from its bytes, as the service writes it, without making strings or
// objects that nobody may ever ask for. What is written in another way is left to JSON.parse, which then reads the whole.
import { type AsciiWords, asciiWords } from './ascii-words.ts'
import type { RecordScanner } from './record-scanner.ts'
import { RecordTable } from './record-table.ts'

/** What a body says: the records as places in it, and the other fields as JSON.parse has them. */
export interface ScannedAnswer {
  /** Where the records are. The places of payloads are those of their base64. */
  readonly table: RecordTable
  /** Whether there is a list of records, which may be empty. */
  readonly hasRecords: boolean
  /** Everything else. Inherits nothing. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** As many as the service puts into an answer. */
const MAX_RECORDS = 10_000

/** So many records that the scanner does not take, and the rest is read without it: it would look in vain. */
const MOST_ODD_RECORDS = 16

/** After how many bytes whoever drives the work is asked whether something else is to be done first. */
const STEP_BYTES = 131_072

const SPACE = 32
const QUOTE = 34
const COMMA = 44
const DOT = 46
const ZERO = 48
const NINE = 57
const COLON = 58
const OPEN_BRACKET = 91
const BACKSLASH = 92
const CLOSE_BRACKET = 93
const LETTER_E = 101
/** What makes a letter a small one. */
const LOWER_CASE = 32
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

/** How far a quotation mark is looked for word by word. Bytes. */
const NEAR_BYTES = 512

/** Four quotation marks; a byte in each of the four places of a word; the highest bits of all of them. */
const QUOTES = 0x22222222
const EACH_BYTE = 0x01010101
const HIGH_BITS = 0x80808080 | 0

/** So many digits are exact in a number. */
const EXACT_DIGITS = 15

const RECORDS = asciiWords('"Records"')
const DATA = asciiWords('"Data"')
const PARTITION_KEY = asciiWords('"PartitionKey"')
const SEQUENCE_NUMBER = asciiWords('"SequenceNumber"')
const ARRIVAL = asciiWords('"ApproximateArrivalTimestamp"')
const ENCRYPTION_TYPE = asciiWords('"EncryptionType"')
const NULL = asciiWords('null')

/** The body is not as the service writes it. Nobody is told: it is read in another way. */
class Unexpected extends Error {}

/**
 * Finds the records in `body`, and yields from time to time. Returns undefined where the body is not written as the service
 * writes it, which may be because it is not JSON.
 *
 * @param scanner makes it quicker
 */
export function* scanJsonAnswer(
  body: Buffer,
  scanner?: RecordScanner
): Generator<void, ScannedAnswer | undefined, void> {
  try {
    return yield* new JsonScan(body, scanner).answer()
  } catch (error) {
    // A SyntaxError is about one of the few values that JSON.parse has been asked for; a RangeError about the end of the body.
    const isExpected = error instanceof Unexpected || error instanceof SyntaxError || error instanceof RangeError
    if (isExpected) return undefined
    throw error
  }
}

/** One pass over a body. */
class JsonScan {
  readonly #body: Buffer
  readonly #view: DataView
  readonly #table = new RecordTable()
  #scanner: RecordScanner | undefined
  #oddRecords = 0
  #at = 0
  /** Whether the place of the payload of this record is known. */
  #hasData = false
  /** How the record before was encrypted: as all of them are. */
  #encryption = ''
  #encryptionJson = NULL

  constructor(body: Buffer, scanner: RecordScanner | undefined) {
    this.#body = body
    this.#scanner = scanner?.worthFor(body)
    this.#view = new DataView(body.buffer, body.byteOffset, body.length)
  }

  *answer(): Generator<void, ScannedAnswer, void> {
    // With a prototype, a field called __proto__ would set that.
    const fields: Record<string, unknown> = Object.create(null)
    let hasRecords = false
    this.#take(OPEN_BRACE)
    if (!this.#takes(CLOSE_BRACE)) {
      do {
        if (this.#takesText(RECORDS)) {
          this.#take(COLON)
          hasRecords = true
          yield* this.#records()
        } else {
          const name = this.#parsedString()
          this.#take(COLON)
          // Of a name that is not written plainly one cannot be sure.
          if (name === 'Records') throw new Unexpected()
          fields[name] = this.#parsedValue()
        }
      } while (this.#takes(COMMA))
      this.#take(CLOSE_BRACE)
    }
    if (this.#next() !== undefined) throw new Unexpected()
    return { table: this.#table, hasRecords, fields }
  }

  *#records(): Generator<void, void, void> {
    if (this.#table.count > 0) throw new Unexpected()
    this.#take(OPEN_BRACKET)
    if (this.#takes(CLOSE_BRACKET)) return
    const from = this.#at
    let pauseAt = from + STEP_BYTES
    do {
      if (this.#scanned()) {
        yield
        continue
      }
      this.#record()
      if (this.#table.count === 1) this.#expectMore(this.#at - from)
      if (this.#at < pauseAt) continue
      pauseAt = this.#at + STEP_BYTES
      yield
    } while (this.#takes(COMMA))
    this.#take(CLOSE_BRACKET)
  }

  /** Reads as many records as the scanner takes; whether there were any. */
  #scanned(): boolean {
    if (this.#scanner === undefined || this.#table.count === 0) return false
    const to = this.#scanner.scan(this.#body, this.#at, this.#table)
    const isAny = to > this.#at
    this.#at = to
    if (!isAny && ++this.#oddRecords > MOST_ODD_RECORDS) this.#scanner = undefined
    return isAny
  }

  /** Mostly the next records are as long as the first. */
  #expectMore(recordBytes: number): void {
    const records = Math.ceil((this.#body.length - this.#at) / (recordBytes + 1)) + 2
    this.#table.expect(Math.min(records, MAX_RECORDS))
  }

  #record(): void {
    this.#table.begin()
    this.#hasData = false
    this.#take(OPEN_BRACE)
    do this.#field()
    while (this.#takes(COMMA))
    this.#take(CLOSE_BRACE)
    if (!this.#table.hasNumber()) throw new Unexpected()
  }

  #field(): void {
    // The first letters differ, so most are not even compared.
    const first = this.#body[this.#stringAt()]
    if (first === 68 && this.#takesText(DATA)) this.#data()
    else if (first === 80 && this.#takesText(PARTITION_KEY)) this.#partitionKey()
    else if (first === 83 && this.#takesText(SEQUENCE_NUMBER)) this.#sequenceNumber()
    else if (first === 65 && this.#takesText(ARRIVAL)) this.#arrival()
    else if (first === 69 && this.#takesText(ENCRYPTION_TYPE)) this.#encryptionType()
    else this.#otherField()
  }

  #otherField(): void {
    // A name in escapes may be one of those above.
    if (this.#body[this.#endOfPlain(this.#stringAt())] === BACKSLASH) throw new Unexpected()
    this.#parsedString()
    this.#take(COLON)
    this.#parsedValue()
  }

  #data(): void {
    this.#take(COLON)
    const from = this.#stringAt()
    const end = this.#endOfData(from)
    // Whether it is base64 shows when it is decoded, so none may be passed over.
    if (end < 0 || this.#hasData) throw new Unexpected()
    this.#hasData = true
    this.#table.dataIsAt(from, end - from)
    this.#at = end + 1
  }

  /** Where the next quotation mark is; -1 if there is none. Node.js is quick where it is far, but slow to ask. */
  #endOfData(from: number): number {
    const view = this.#view
    const limit = Math.min(from + NEAR_BYTES, view.byteLength - 4)
    let at = from
    for (; at < limit; at += 4) {
      const quotes = view.getInt32(at) ^ QUOTES
      if (((quotes - EACH_BYTE) & ~quotes & HIGH_BITS) !== 0) break
    }
    if (at >= limit) return this.#body.indexOf(QUOTE, at)
    while (this.#body[at] !== QUOTE) at += 1
    return at
  }

  #partitionKey(): void {
    this.#take(COLON)
    const { texts } = this.#table
    const at = texts.length
    const end = texts.takeJson(this.#view, this.#stringAt())
    if (end < 0) {
      this.#table.keyIs(this.#parsedString())
      return
    }
    this.#table.keyIsAt(at)
    this.#at = end + 1
  }

  #sequenceNumber(): void {
    this.#take(COLON)
    const { texts } = this.#table
    const at = texts.length
    const end = texts.takeJson(this.#view, this.#stringAt())
    if (end < 0 || !texts.isAscii) throw new Unexpected()
    this.#table.numberIsAt(at)
    this.#at = end + 1
  }

  #encryptionType(): void {
    this.#take(COLON)
    if (this.#takesText(NULL)) this.#table.encryptedWith('')
    else {
      if (!this.#takesText(this.#encryptionJson)) {
        this.#encryption = this.#parsedString()
        this.#encryptionJson = asciiWords(JSON.stringify(this.#encryption))
      }
      this.#table.encryptedWith(this.#encryption)
    }
  }

  /** Seconds, with the milliseconds behind the point: `1700000000.123` or `1.700000000123E9`. */
  #arrival(): void {
    this.#take(COLON)
    const first = this.#next()
    const from = this.#at
    let at = from
    let digits = 0
    let exponent = 3
    for (let isFraction = false; ; at++) {
      const code = this.#body[at] as number
      if (code >= ZERO && code <= NINE) {
        digits = digits * 10 + code - ZERO
        if (isFraction) exponent -= 1
      } else if (code === DOT && !isFraction && at > from) isFraction = true
      else break
    }
    const isExact = at - from <= EXACT_DIGITS && (this.#body[at - 1] as number) >= ZERO
    if (((this.#body[at] as number) | LOWER_CASE) === LETTER_E) {
      const power = this.#body[at + 1] as number
      exponent += power - ZERO
      at += 2
      if (power < ZERO || power > NINE) exponent = -1
    }
    const after = this.#body[at]
    const isOver = after === COMMA || after === CLOSE_BRACE
    if (isExact && isOver && exponent >= 0 && first !== ZERO && at > from) {
      this.#table.arrivedAt(digits * 10 ** exponent)
      this.#at = at
      return
    }
    const seconds = this.#parsedValue()
    if (typeof seconds !== 'number') throw new Unexpected()
    this.#table.arrivedAt(Math.round(seconds * 1000))
  }

  /** The byte at which something begins, white space passed over. */
  #next(): number | undefined {
    let code = this.#body[this.#at]
    while (code === 32 || code === 10 || code === 13 || code === 9) code = this.#body[++this.#at]
    return code
  }

  #takes(code: number): boolean {
    if (this.#next() !== code) return false
    this.#at += 1
    return true
  }

  #take(code: number): void {
    if (!this.#takes(code)) throw new Unexpected()
  }

  /** Whether `text` comes next. */
  #takesText(text: AsciiWords): boolean {
    this.#next()
    if (!text.isAt(this.#view, this.#at)) return false
    this.#at += text.length
    return true
  }

  /** Where the string that comes next begins, behind its quotation mark. */
  #stringAt(): number {
    if (this.#next() !== QUOTE) throw new Unexpected()
    return this.#at + 1
  }

  /** Where the string that begins at `from` ends, or where its first escape is. */
  #endOfPlain(from: number): number {
    const body = this.#body
    const { length } = body
    for (let at = from; at < length; at++) {
      const code = body[at] as number
      if (code === QUOTE || code === BACKSLASH) return at
      if (code < SPACE) break
    }
    throw new Unexpected()
  }

  #parsedString(): string {
    let at = this.#endOfPlain(this.#stringAt())
    while (this.#body[at] === BACKSLASH) at = this.#endOfPlain(at + 2)
    return this.#parsed(at + 1) as string
  }

  /** The value that comes next. There are few that end up here, and they are short. */
  #parsedValue(): unknown {
    const code = this.#next()
    if (code === QUOTE) return this.#parsedString()
    let at = this.#at
    let depth = 0
    for (; at < this.#body.length; at++) {
      const code = this.#body[at] as number
      if (code === QUOTE) {
        at = this.#endOfPlain(at + 1)
        while (this.#body[at] === BACKSLASH) at = this.#endOfPlain(at + 2)
      } else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth += 1
      else if (depth === 0 && (code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET)) break
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth -= 1
    }
    return this.#parsed(at)
  }

  #parsed(end: number): unknown {
    const value: unknown = JSON.parse(this.#body.toString('utf8', this.#at, end))
    this.#at = end
    return value
  }
}
