import { expect } from 'chai'
import { BodyMemory } from '../../src/kinesis/body-memory.ts'

const KIB = 1024
const MIB = 1024 * KIB

describe('BodyMemory', () => {
  it('hands out what was given back, to whoever it is large enough for', () => {
    const memory = new BodyMemory()
    const first = memory.take(MIB)
    const second = memory.take(2 * MIB)
    expect(first.buffer).to.not.equal(second.buffer)
    memory.giveBack(second.subarray(0, 5))
    memory.giveBack(first.subarray(7))
    expect(memory.freeBytes).to.equal(3 * MIB)
    expect(memory.take(1.5 * MIB).buffer).to.equal(second.buffer)
    expect(memory.take(MIB - 10).buffer).to.equal(first.buffer)
    expect(memory.freeBytes).to.equal(0)
    expect(memory.take(MIB).buffer).to.not.equal(first.buffer)
  })

  it('gives whole pieces, however little of them was used', () => {
    const memory = new BodyMemory()
    memory.giveBack(memory.take(MIB).subarray(10, 20))
    expect(memory.take(MIB).length).to.equal(MIB)
  })

  it('fits bodies that are almost as long as one another into one piece', () => {
    const memory = new BodyMemory()
    const { buffer } = memory.take(3_220_000)
    expect(buffer.byteLength).to.be.within(3_220_000, 3_220_000 * 1.25)
    for (const bytes of [3_150_000, 3_230_000, 3_221_111]) {
      const again = memory.take(bytes)
      if (again.buffer.byteLength < bytes) throw new Error('too small')
      memory.giveBack(again)
    }
    expect(memory.freeBytes).to.be.at.most(2 * buffer.byteLength)
  })

  it('does not use a large piece for a small body', () => {
    const memory = new BodyMemory()
    memory.giveBack(memory.take(8 * MIB))
    expect(memory.take(MIB).buffer.byteLength).to.equal(MIB)
    expect(memory.freeBytes).to.equal(8 * MIB)
  })

  it('takes nothing back that is not from here', () => {
    const memory = new BodyMemory()
    memory.giveBack(Buffer.allocUnsafeSlow(MIB))
    expect(memory.freeBytes).to.equal(0)
  })

  it('keeps neither small pieces nor more than 64 MiB', () => {
    const memory = new BodyMemory()
    memory.giveBack(memory.take(10 * KIB))
    expect(memory.freeBytes).to.equal(0)
    const pieces = Array.from({ length: 10 }, () => memory.take(8 * MIB))
    for (const piece of pieces) memory.giveBack(piece)
    expect(memory.freeBytes).to.equal(64 * MIB)
  })

  it('keeps less where it is told to, and never more than 64 MiB', () => {
    for (const [mostBytes, kept] of [
      [16 * MIB, 16 * MIB],
      [1024 * MIB, 64 * MIB]
    ] as const) {
      const memory = new BodyMemory(mostBytes)
      const pieces = Array.from({ length: 10 }, () => memory.take(8 * MIB))
      for (const piece of pieces) memory.giveBack(piece)
      expect(memory.freeBytes).to.equal(kept)
    }
  })
})
