// The WebAssembly that finds the fields of records in JSON, 16 bytes at a time, where they are written as the service writes
// them. Whatever is written in another way is left to json-records.ts, which says what it means; so nothing here decides anything.
import { advance, bytesOf, decodeBody, trimPadding } from './base64-wasm.ts'
import {
  ARRIVALS_AT,
  DATA_AT,
  DATA_LENGTH,
  ENCRYPTIONS_AT,
  KEY_AT,
  KEY_LENGTH,
  MADE_AT,
  MOST_ROWS,
  NUMBER_AT,
  NUMBER_LENGTH,
  PAGES,
  ROW_BYTES,
  ROWS_AT,
  TOLD_AT,
  WINDOW_AT
} from './scanner-memory.ts'
import { assembleModule, FunctionBody, I32, I64, type Label, V128 } from './wasm-assembler.ts'

/** What `scan` knows as an encryption, by the number that it gives to it; 0: the record says nothing. */
export const ENCRYPTIONS = ['', 'KMS', 'NONE'] as const

/** So many characters of a time are exact in a number, and it may have so many digits once it is in milliseconds. */
const EXACT_DIGITS = 15
const MOST_DIGITS = 18

/** Bits of what a record has. */
const HAS = { data: 1, key: 2, number: 4, arrival: 8, encryption: 16 } as const
/** What it must have to be told. */
const NEEDED = HAS.data | HAS.key | HAS.number | HAS.arrival

const CODE = {
  openBrace: 123,
  closeBrace: 125,
  comma: 44,
  quote: 34,
  backslash: 92,
  dot: 46,
  zero: 48,
  letterE: 101
} as const

/** The module. */
export function scanModule(): Uint8Array<ArrayBuffer> {
  return assembleModule(PAGES, [
    { name: 'scan', parameters: 3, body: scanBody() },
    { name: 'decode', parameters: 3, body: decodeBody() }
  ])
}

/** Locals of `scan`. The first are its parameters. */
interface ScanLocals {
  /** Where the window ends; what is added to the place of a payload, or of a text, to have it in the whole. */
  readonly end: number
  readonly dataBias: number
  readonly textBias: number
  /** Where reading is, where the next row, arrival and text go. */
  readonly at: number
  readonly row: number
  readonly arrival: number
  readonly encryption: number
  readonly text: number
  /** What the record has so far; how many bytes its payload makes. */
  readonly has: number
  readonly bytes: number
  readonly start: number
  readonly count: number
  readonly high: number
  readonly mask: number
  readonly exponent: number
  readonly isFraction: number
  readonly value: number
  readonly vector: number
}

/**
 * `scan(end, dataBias, textBias)` reads records from the beginning of the window, and tells: where the last whole one ends, how
 * many there were, where their texts end, how many bytes their payloads make, and whether one of them is encrypted.
 */
function scanBody(): FunctionBody {
  const code = new FunctionBody(3)
  const number = (): number => code.local(I32)
  const names = [
    'at',
    'row',
    'arrival',
    'encryption',
    'text',
    'has',
    'bytes',
    'start',
    'count',
    'high',
    'mask'
  ] as const
  const own = Object.fromEntries(names.map(name => [name, number()])) as Record<(typeof names)[number], number>
  const local: ScanLocals = {
    end: 0,
    dataBias: 1,
    textBias: 2,
    ...own,
    exponent: number(),
    isFraction: number(),
    value: code.local(I64),
    vector: code.local(V128)
  }
  const [rowsTold, textTold, bytesTold, encrypted] = [number(), number(), number(), number()]
  const { at, row, arrival, encryption, text, has, bytes } = local
  code.i32(WINDOW_AT).set(at).i32(ROWS_AT).set(row).i32(ARRIVALS_AT).set(arrival)
  code.i32(ENCRYPTIONS_AT).set(encryption).i32(MADE_AT).tee(text).set(textTold)
  code.i32(TOLD_AT).i32(WINDOW_AT).store32(0)
  code.block(stop =>
    code.loop(next => {
      code.get(rowsTold).i32(MOST_ROWS).op('i32.eq').jumpIf(stop)
      unlessByte(code, at, CODE.openBrace, stop)
      code.i32(0).tee(has).set(bytes)
      code.get(encryption).i32(0).store8(0)
      code.block(whole =>
        code.loop(field => {
          advance(code, at, 1)
          scanField(code, local, stop)
          code.get(at).load8(0).i32(CODE.comma).op('i32.eq').jumpIf(field)
          code.get(at).load8(0).i32(CODE.closeBrace).op('i32.eq').jumpIf(whole)
          code.jump(stop)
        })
      )
      code.get(at, local.end).op('i32.ge_u').jumpIf(stop)
      code.get(has).i32(NEEDED).op('i32.and').i32(NEEDED).op('i32.ne').jumpIf(stop)
      advance(code, at, 1)
      code.i32(TOLD_AT).get(at).store32(0)
      code.get(text).set(textTold)
      code.get(bytesTold, bytes).op('i32.add').set(bytesTold)
      code.get(encrypted, has).i32(HAS.encryption).op('i32.and', 'i32.or').set(encrypted)
      advance(code, rowsTold, 1)
      advance(code, row, ROW_BYTES)
      advance(code, arrival, 8)
      advance(code, encryption, 1)
      unlessByte(code, at, CODE.comma, stop)
      advance(code, at, 1)
      code.jump(next)
    })
  )
  code.i32(TOLD_AT).get(rowsTold).store32(4)
  code.i32(TOLD_AT).get(textTold).store32(8)
  code.i32(TOLD_AT).get(bytesTold).store32(12)
  code.i32(TOLD_AT).get(encrypted).store32(16)
  return code
}

/** One field, from its name to the end of its value. */
function scanField(code: FunctionBody, local: ScanLocals, stop: Label): void {
  const { at } = local
  const named = (name: string, bit: number, scan: () => void, done: Label): void => {
    code.block(other => {
      code.get(at).load8(1).i32(name.charCodeAt(1)).op('i32.ne').jumpIf(other)
      unlessText(code, at, name, stop)
      // If something is said twice, it is not for here to say which of both holds.
      code.get(local.has).i32(bit).op('i32.and').jumpIf(stop)
      code.get(local.has).i32(bit).op('i32.or').set(local.has)
      advance(code, at, name.length)
      scan()
      code.jump(done)
    })
  }
  code.block(done => {
    named('"SequenceNumber":"', HAS.number, () => scanNumber(code, local, stop), done)
    named('"Data":"', HAS.data, () => scanData(code, local, stop), done)
    named('"PartitionKey":"', HAS.key, () => scanKey(code, local, stop), done)
    named('"ApproximateArrivalTimestamp":', HAS.arrival, () => scanArrival(code, local, stop), done)
    named('"EncryptionType":', HAS.encryption, () => scanEncryption(code, local, stop), done)
    code.jump(stop)
  })
}

/** The payload: whether it is base64 shows when it is decoded. */
function scanData(
  code: FunctionBody,
  { at, row, start, count, mask, bytes, dataBias, end }: ScanLocals,
  stop: Label
): void {
  code.get(at).set(start)
  code.block(found =>
    code.loop(again => {
      code.get(at).load(0).i32(CODE.quote).op('i8x16.splat', 'i8x16.eq', 'i8x16.bitmask').tee(mask).jumpIf(found)
      advance(code, at, 16)
      // There is a quotation mark behind the end of the window.
      code.jump(again)
    })
  )
  code.get(at, mask).op('i32.ctz', 'i32.add').set(at)
  code.get(at, end).op('i32.ge_u').jumpIf(stop)
  code.get(row, start, dataBias).op('i32.add').store32(DATA_AT)
  code.get(row, at, start).op('i32.sub').tee(count).store32(DATA_LENGTH)
  trimPadding(code, at, count)
  // One character alone makes nothing.
  code.get(count).i32(3).op('i32.and').i32(1).op('i32.eq').jumpIf(stop)
  bytesOf(code, count)
  code.set(bytes)
  advance(code, at, 1)
}

function scanKey(code: FunctionBody, local: ScanLocals, stop: Label): void {
  const { row, count, high, at } = local
  scanText(code, local, stop, KEY_AT)
  // Negative: it is not ASCII alone.
  code.get(high).when(() => code.i32(0).get(count).op('i32.sub').set(count))
  code.get(row, count).store32(KEY_LENGTH)
  advance(code, at, 1)
}

function scanNumber(code: FunctionBody, local: ScanLocals, stop: Label): void {
  const { row, count, high, at } = local
  scanText(code, local, stop, NUMBER_AT)
  code.get(high).jumpIf(stop)
  code.get(count).op('i32.eqz').jumpIf(stop)
  code.get(row, count).store32(NUMBER_LENGTH)
  advance(code, at, 1)
}

/** A string without escapes, which is copied to the texts. How long it is, and whether it has other bytes than ASCII. */
function scanText(
  code: FunctionBody,
  { at, end, row, text, textBias, count, high, mask, vector }: ScanLocals,
  stop: Label,
  column: number
): void {
  code.get(row, text, textBias).op('i32.add').store32(column)
  code.i32(0).tee(count).set(high)
  code.block(found =>
    code.loop(again => {
      code.get(text, at).load(0).tee(vector).store(0)
      code.get(vector).i32(CODE.quote).op('i8x16.splat', 'i8x16.eq')
      code.get(vector).i32(CODE.backslash).op('i8x16.splat', 'i8x16.eq', 'v128.or')
      code.get(vector).i32(32).op('i8x16.splat', 'i8x16.lt_u', 'v128.or', 'i8x16.bitmask').tee(mask).jumpIf(found)
      code.get(high, vector).op('i8x16.bitmask', 'i32.or').set(high)
      for (const place of [at, text, count]) advance(code, place, 16)
      code.jump(again)
    })
  )
  // Of what is behind the end of the string nothing counts: below the lowest bit of the mask is what is before it.
  code.get(high, vector).op('i8x16.bitmask').get(mask).i32(0).get(mask)
  code.op('i32.sub', 'i32.and').i32(1).op('i32.sub', 'i32.and', 'i32.or').set(high)
  code.get(mask).op('i32.ctz').set(mask)
  for (const place of [at, text, count]) code.get(place, mask).op('i32.add').set(place)
  unlessByte(code, at, CODE.quote, stop)
  code.get(at, end).op('i32.ge_u').jumpIf(stop)
}

function scanArrival(code: FunctionBody, local: ScanLocals, stop: Label): void {
  const { at, arrival, start, count, exponent, isFraction, value, mask: digit } = local
  code.get(at).set(start)
  code.i64(0).set(value).i32(3).set(exponent).i32(0).set(isFraction)
  code.get(at).load8(0).i32(CODE.zero).op('i32.eq').jumpIf(stop)
  code.block(over =>
    code.loop(again => {
      code.get(at).load8(0).i32(CODE.zero).op('i32.sub').tee(digit).i32(10).op('i32.lt_u')
      code.when(() => {
        code.get(value).i64(10).op('i64.mul').get(digit).op('i64.extend_i32_u', 'i64.add').set(value)
        code.get(exponent, isFraction).op('i32.sub').set(exponent)
        advance(code, at, 1)
        code.jump(again)
      })
      code
        .get(digit)
        .i32(CODE.dot - CODE.zero)
        .op('i32.ne')
        .jumpIf(over)
      code.get(isFraction).jumpIf(stop)
      code.i32(1).set(isFraction)
      advance(code, at, 1)
      code.jump(again)
    })
  )
  // There are digits, not too many, and one in front of the point and behind it.
  code.get(at, start).op('i32.sub').tee(count).op('i32.eqz').jumpIf(stop)
  code.get(count).i32(EXACT_DIGITS).op('i32.gt_u').jumpIf(stop)
  code.get(start).load8(0).i32(CODE.dot).op('i32.eq').jumpIf(stop)
  code.get(at).i32(1).op('i32.sub').load8(0).i32(CODE.dot).op('i32.eq').jumpIf(stop)
  code.get(at).load8(0).i32(32).op('i32.or').i32(CODE.letterE).op('i32.eq')
  code.when(() => {
    code.get(at).load8(1).i32(CODE.zero).op('i32.sub').tee(digit).i32(9).op('i32.gt_u').jumpIf(stop)
    code.get(exponent, digit).op('i32.add').set(exponent)
    advance(code, at, 2)
  })
  code.get(exponent).i32(0).op('i32.lt_s').jumpIf(stop)
  code.get(exponent, count).op('i32.add').i32(MOST_DIGITS).op('i32.gt_s').jumpIf(stop)
  code.block(over =>
    code.loop(again => {
      code.get(exponent).op('i32.eqz').jumpIf(over)
      code.get(value).i64(10).op('i64.mul').set(value)
      advance(code, exponent, -1)
      code.jump(again)
    })
  )
  code.get(arrival, value).op('f64.convert_i64_u', 'f64.store')
}

/** Which of {@link ENCRYPTIONS} it is. */
function scanEncryption(code: FunctionBody, { at, encryption }: ScanLocals, stop: Label): void {
  code.block(done => {
    for (const [index, type] of ENCRYPTIONS.entries()) {
      if (type === '') continue
      const text = JSON.stringify(type)
      code.block(other => {
        unlessText(code, at, text, other)
        code.get(encryption).i32(index).store8(0)
        advance(code, at, text.length)
        code.jump(done)
      })
    }
    code.jump(stop)
  })
}

function unlessByte(code: FunctionBody, at: number, byte: number, stop: Label): void {
  code.get(at).load8(0).i32(byte).op('i32.ne').jumpIf(stop)
}

/** Goes to `stop` unless `text` is there. It has four characters at least. */
function unlessText(code: FunctionBody, at: number, text: string, stop: Label): void {
  const bytes = [...Buffer.from(text, 'latin1')]
  const size = bytes.length < 16 ? 4 : 16
  for (let from = 0; from < bytes.length; from += size) {
    const start = Math.min(from, bytes.length - size)
    const part = bytes.slice(start, start + size)
    if (size === 16) code.get(at).load(start).v128(part).op('i8x16.eq', 'i8x16.all_true', 'i32.eqz').jumpIf(stop)
    else code.get(at).load32(start).i32(Buffer.from(part).readInt32LE()).op('i32.ne').jumpIf(stop)
  }
}
