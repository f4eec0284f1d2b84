// The bytes of a small WebAssembly module, from readable source: as much of the binary format as is needed here.
// Instructions are written in the order in which the stack machine runs them.

/** A number of 32 bits: its byte in the binary format, as below. */
export const I32 = 0x7f
/** A number of 64 bits. */
export const I64 = 0x7e
/** A vector of 128 bits. */
export const V128 = 0x7b

/** Bytes of one page of memory. */
export const PAGE_BYTES = 65_536

const OP = {
  loop: [0x03, 0x40],
  end: [0x0b],
  return: [0x0f],
  'i32.eqz': [0x45],
  'i32.eq': [0x46],
  'i32.ne': [0x47],
  'i32.lt_s': [0x48],
  'i32.lt_u': [0x49],
  'i32.gt_s': [0x4a],
  'i32.gt_u': [0x4b],
  'i32.ge_u': [0x4f],
  'i32.ctz': [0x68],
  'i32.add': [0x6a],
  'i32.mul': [0x6c],
  'i32.and': [0x71],
  'i32.or': [0x72],
  'i32.shr_u': [0x76],
  'i64.add': [0x7c],
  'i64.mul': [0x7e],
  'i64.extend_i32_u': [0xad],
  'f64.convert_i64_u': [0xba],
  'f64.store': [0x39, 0, 0],
  'i32.sub': [0x6b],
  'i32.shl': [0x74],
  'v128.not': [0xfd, 0x4d],
  'v128.and': [0xfd, 0x4e],
  'v128.andnot': [0xfd, 0x4f],
  'v128.or': [0xfd, 0x50],
  'v128.xor': [0xfd, 0x51],
  'v128.bitselect': [0xfd, 0x52],
  'v128.any_true': [0xfd, 0x53],
  'i8x16.swizzle': [0xfd, 0x0e],
  'i8x16.splat': [0xfd, 0x0f],
  'i8x16.lt_u': [0xfd, 0x26],
  'i8x16.all_true': [0xfd, 0x63],
  'i8x16.bitmask': [0xfd, 0x64],
  'i8x16.add': [0xfd, 0x6e],
  'i8x16.eq': [0xfd, 0x23],
  'i8x16.lt_s': [0xfd, 0x25],
  'i32x4.shl': [0xfd, 0xab, 0x01],
  'i32x4.shr_u': [0xfd, 0xad, 0x01],
  'i32x4.add': [0xfd, 0xae, 0x01]
} as const

/** Where a jump goes: how many blocks and loops were open where it was made. */
export type Label = number & { readonly isLabel: never }

/** An instruction without operands of its own. */
export type Instruction = keyof typeof OP

/** The body of one function. Every method appends an instruction and returns the body, so that they can be chained. */
export class FunctionBody {
  readonly #bytes: number[] = []
  readonly #locals: number[] = []
  readonly #parameters: number
  #depth = 0

  /** @param parameters how many parameters there are, all of type {@link I32}. They are the first locals. */
  constructor(parameters: number) {
    this.#parameters = parameters
  }

  /** A new local of this type; the number by which it is known. */
  local(type: number): number {
    return this.#parameters + this.#locals.push(type) - 1
  }

  op(...instructions: readonly Instruction[]): this {
    for (const instruction of instructions) this.#bytes.push(...OP[instruction])
    return this
  }

  get(...locals: readonly number[]): this {
    for (const local of locals) this.#bytes.push(0x20, ...unsigned(local))
    return this
  }

  set(local: number): this {
    this.#bytes.push(0x21, ...unsigned(local))
    return this
  }

  /** Sets a local and leaves the value on the stack. */
  tee(local: number): this {
    this.#bytes.push(0x22, ...unsigned(local))
    return this
  }

  i64(value: number): this {
    this.#bytes.push(0x42, ...signed(value))
    return this
  }

  i32(value: number): this {
    this.#bytes.push(0x41, ...signed(value))
    return this
  }

  /** A constant vector, of 16 bytes. */
  v128(bytes: readonly number[]): this {
    this.#bytes.push(0xfd, 0x0c, ...bytes)
    return this
  }

  /** A constant vector of four times the same number of 32 bits. */
  i32x4(value: number): this {
    const bytes = [value, value >> 8, value >> 16, value >> 24].map(byte => byte & 0xff)
    return this.v128([bytes, bytes, bytes, bytes].flat())
  }

  /** Picks 16 of the 32 bytes of two vectors by index. */
  shuffle(indices: readonly number[]): this {
    this.#bytes.push(0xfd, 0x0d, ...indices)
    return this
  }

  /** Loads a vector from the address on the stack plus `offset`. */
  load(offset: number): this {
    this.#bytes.push(0xfd, 0x00, 0, ...unsigned(offset))
    return this
  }

  /** Stores the vector on the stack at the address under it plus `offset`. */
  store(offset: number): this {
    this.#bytes.push(0xfd, 0x0b, 0, ...unsigned(offset))
    return this
  }

  /** Loads a number of 32 bits from the address on the stack plus `offset`. */
  load32(offset: number): this {
    this.#bytes.push(0x28, 0, ...unsigned(offset))
    return this
  }

  /** Loads a byte from the address on the stack plus `offset`. */
  load8(offset: number): this {
    this.#bytes.push(0x2d, 0, ...unsigned(offset))
    return this
  }

  /** Loads a number of 16 bits from the address on the stack plus `offset`. */
  load16(offset: number): this {
    this.#bytes.push(0x2f, 0, ...unsigned(offset))
    return this
  }

  /** Stores the number of 32 bits on the stack at the address under it plus `offset`. */
  store32(offset: number): this {
    this.#bytes.push(0x36, 0, ...unsigned(offset))
    return this
  }

  /** Stores the byte on the stack at the address under it plus `offset`. */
  store8(offset: number): this {
    this.#bytes.push(0x3a, 0, ...unsigned(offset))
    return this
  }

  /** A block: jumps to its label go on behind it. */
  block(inside: (label: Label) => void): this {
    return this.#nested(0x02, inside)
  }

  /** A loop: jumps to its label go on at its beginning. Without one it ends. */
  loop(inside: (label: Label) => void): this {
    return this.#nested(0x03, inside)
  }

  /** What is done if the number on the stack is not 0. */
  when(inside: () => void): this {
    return this.#nested(0x04, inside)
  }

  /** Goes on at a label. */
  jump(label: Label): this {
    this.#bytes.push(0x0c, ...unsigned(this.#depth - label))
    return this
  }

  /** Goes on at a label if the number on the stack is not 0. */
  jumpIf(label: Label): this {
    this.#bytes.push(0x0d, ...unsigned(this.#depth - label))
    return this
  }

  #nested(kind: number, inside: (label: Label) => void): this {
    this.#bytes.push(kind, 0x40)
    this.#depth += 1
    inside(this.#depth as Label)
    this.#depth -= 1
    this.#bytes.push(...OP.end)
    return this
  }

  /** Begins the innermost loop again if the number on the stack is not 0. */
  repeatIf(): this {
    this.#bytes.push(0x0d, 0)
    return this
  }

  /** The function as it stands in the section of code. */
  encode(): number[] {
    const locals = this.#locals.map(type => [1, type])
    return sized([...vector(locals), ...this.#bytes, ...OP.end])
  }
}

/** A function of a module: its parameters are numbers of 32 bits, and it returns nothing. */
export interface WasmFunction {
  readonly name: string
  readonly parameters: number
  readonly body: FunctionBody
}

/** A module that exports its functions and a `memory` of a fixed number of pages. */
export function assembleModule(pages: number, functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [0x60, ...vector(Array.from({ length: parameters }, () => [I32])), 0])
  const indices = functions.map((_, i) => unsigned(i))
  const exported = functions.map(({ name }, i) => [...text(name), 0x00, ...unsigned(i)])
  const limits = [0x01, ...unsigned(pages), ...unsigned(pages)]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(3, indices),
    ...section(5, [limits]),
    ...section(7, [[...text('memory'), 0x02, 0], ...exported]),
    ...section(
      10,
      functions.map(({ body }) => body.encode())
    )
  ])
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  return [id, ...sized(vector(items))]
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()]
}

function sized(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes]
}

function text(ascii: string): number[] {
  return sized(Array.from(ascii, character => character.charCodeAt(0)))
}

/** LEB128 of a number from 0. */
function unsigned(value: number): number[] {
  return value > 0x7f ? [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)] : [value]
}

/** LEB128 of a number with a sign. */
function signed(value: number): number[] {
  const rest = value >> 7
  const isLast = rest === ((value & 0x40) === 0 ? 0 : -1)
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(rest)]
}
