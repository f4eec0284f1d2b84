// The WebAssembly that makes bytes of base64, 16 characters at a time. What is not written as the service writes it is left to
// base64.ts, which says what it means.
import { DATA_AT, DATA_LENGTH, MADE_AT, ROW_BYTES, ROWS_AT, TOLD_AT } from './scanner-memory.ts'
import { FunctionBody, I32, V128 } from './wasm-assembler.ts'

/** Padding. */
const EQUALS = 61

/** Characters, and the bytes that they make, in one step. */
const [STEP_CHARACTERS, STEP_BYTES] = [16, 12]

/**
 * What a character of base64 may not be, by its lower half and by its upper one: bits that both have in common. And what has to
 * be added to it to make it what it stands for, by its upper half, which counts one less for the slash.
 */
const BAD_BY_LOWER = [0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a]
const BAD_BY_UPPER = [0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, ...Array<number>(8).fill(0x10)]
const ROLL_BY_UPPER = [0, 16, 19, 4, 0xbf, 0xbf, 0xb9, 0xb9, ...Array<number>(8).fill(0)]

/** Three bytes out of the lower three of each word, the highest first. */
const PACKED = [2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 0, 0, 0, 0]

/**
 * `decode(rowsEnd, windowBias, targetBias)` decodes the payloads of the rows, whose places less the bias are in the window, puts
 * them one behind the other and says so in the rows; the bias is added to their places. It tells where they end, and whether
 * there was something that is not base64.
 */
export function decodeBody(): FunctionBody {
  const code = new FunctionBody(3)
  const [rowsEnd, windowBias, targetBias] = [0, 1, 2]
  const number = (): number => code.local(I32)
  const [row, at, end, left, out, next] = [number(), number(), number(), number(), number(), number()]
  const [vector, bad, upper] = [code.local(V128), code.local(V128), code.local(V128)]
  code.i32(ROWS_AT).set(row).i32(MADE_AT).set(out)
  code.block(over =>
    code.loop(again => {
      code.get(row, rowsEnd).op('i32.ge_u').jumpIf(over)
      code.get(row).load32(DATA_AT).get(windowBias).op('i32.sub').set(at)
      code.get(row).load32(DATA_LENGTH).set(left)
      code.get(at, left).op('i32.add').set(end)
      trimPadding(code, end, left)
      code.get(row, out, targetBias).op('i32.add').store32(DATA_AT)
      code.get(row)
      bytesOf(code, left)
      code.tee(next).store32(DATA_LENGTH)
      code.get(next, out).op('i32.add').set(next)
      code.block(few =>
        code.loop(more => {
          code.get(left).i32(STEP_CHARACTERS).op('i32.lt_u').jumpIf(few)
          code.get(at).load(0).set(vector)
          decodeStep(code, { vector, bad, upper, out })
          advance(code, at, STEP_CHARACTERS)
          advance(code, out, STEP_BYTES)
          advance(code, left, -STEP_CHARACTERS)
          code.jump(more)
        })
      )
      code.get(left).when(() => {
        // As if what is missing were A, which stands for 0.
        code.get(at).load(0).i32(0x41).op('i8x16.splat')
        code
          .v128(Array.from({ length: 16 }, (_, i) => i))
          .get(left)
          .op('i8x16.splat', 'i8x16.lt_u', 'v128.bitselect')
        code.set(vector)
        decodeStep(code, { vector, bad, upper, out })
      })
      code.get(next).set(out)
      advance(code, row, ROW_BYTES)
      code.jump(again)
    })
  )
  code.i32(TOLD_AT).get(out).store32(0)
  code.i32(TOLD_AT).get(bad).op('v128.any_true').store32(4)
  return code
}

/** 16 characters to 12 bytes, and four more that count for nothing. */
function decodeStep(
  code: FunctionBody,
  {
    vector,
    bad,
    upper,
    out
  }: { readonly vector: number; readonly bad: number; readonly upper: number; readonly out: number }
): void {
  const half = 0x0f0f0f0f
  code.get(vector).i32(4).op('i32x4.shr_u').i32x4(half).op('v128.and').set(upper)
  code.v128(BAD_BY_LOWER).get(vector).i32x4(half).op('v128.and', 'i8x16.swizzle')
  code.v128(BAD_BY_UPPER).get(upper).op('i8x16.swizzle', 'v128.and').get(bad).op('v128.or').set(bad)
  code.v128(ROLL_BY_UPPER)
  code.get(vector).i32x4(0x2f2f2f2f).op('i8x16.eq').get(upper).op('i8x16.add', 'i8x16.swizzle')
  code.get(vector).op('i8x16.add').set(vector)
  // Of each word, whose lowest byte came first: pairs of 12 bits, then 24 bits.
  code.get(vector).i32x4(0x003f003f).op('v128.and').i32(6).op('i32x4.shl')
  code.get(vector).i32x4(0x3f003f00).op('v128.and').i32(8).op('i32x4.shr_u', 'v128.or').set(vector)
  code.get(vector).i32(12).op('i32x4.shl').get(vector).i32(16).op('i32x4.shr_u', 'v128.or').set(vector)
  code.get(out, vector, vector).shuffle(PACKED).store(0)
}

/** Takes one or two signs of padding off the length of base64 that ends at `end`. */
export function trimPadding(code: FunctionBody, end: number, length: number): void {
  code.block(done => {
    code.get(length).op('i32.eqz').get(length).i32(3).op('i32.and', 'i32.or').jumpIf(done)
    for (const behind of [1, 2]) {
      code.get(end).i32(behind).op('i32.sub').load8(0).i32(EQUALS).op('i32.ne').jumpIf(done)
      advance(code, length, -1)
    }
  })
}

/** Leaves on the stack how many bytes so many characters make, padding not counted. */
export function bytesOf(code: FunctionBody, length: number): void {
  code.get(length).i32(2).op('i32.shr_u').i32(3).op('i32.mul')
  code.get(length).i32(3).op('i32.and').i32(3).op('i32.mul').i32(2).op('i32.shr_u', 'i32.add')
}

/** Adds to a local. */
export function advance(code: FunctionBody, local: number, by: number): void {
  code.get(local).i32(by).op('i32.add').set(local)
}
