// How large an item of DynamoDB is, and what reading and writing it costs. The sizes follow the rules that AWS documents: the
// name of each attribute and its value count, text as UTF-8, a number half a byte for each digit and a byte more.

import type { Lease } from '../model/lease.ts'
import { toItem } from './dynamo-item.ts'

const WRITE_UNIT_BYTES = 1_024
const READ_UNIT_BYTES = 4_096

/** The size of an item in bytes, from what its attributes are. Those that are `undefined` are not there. */
export function itemBytes(item: Readonly<Record<string, unknown>>): number {
  let bytes = 0
  for (const [name, value] of Object.entries(item)) {
    if (value !== undefined) bytes += textBytes(name) + valueBytes(value)
  }
  return bytes
}

/** The size of the row of a lease in bytes. */
export function leaseBytes(lease: Lease): number {
  return itemBytes(toItem(lease))
}

/** Write units for an item of so many bytes; of two sizes, before and after, the larger counts. At least 1. */
export function writeUnits(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / WRITE_UNIT_BYTES))
}

/** Read units for so many bytes, which items of one query or scan share. An eventually consistent read costs half. */
export function readUnits(bytes: number, isConsistent: boolean): number {
  return Math.max(1, Math.ceil(bytes / READ_UNIT_BYTES)) * (isConsistent ? 1 : 0.5)
}

function valueBytes(value: unknown): number {
  if (typeof value === 'string') return textBytes(value)
  if (typeof value === 'number') return Math.ceil(String(Math.abs(value)).replace('.', '').length / 2) + 1
  if (value instanceof Uint8Array) return value.length
  if (value instanceof Set || Array.isArray(value)) {
    let bytes = 0
    for (const member of value) bytes += valueBytes(member)
    return bytes
  }
  if (typeof value === 'object' && value !== null) return 3 + Object.keys(value).length + itemBytes({ ...value })
  return 1
}

function textBytes(text: string): number {
  return Buffer.byteLength(text)
}
