import { expect } from 'chai'
import { StreamTurns } from '../../src/worker/stream-turns.ts'

interface End {
  resolve(value: number): void
  reject(error: Error): void
}

function rig() {
  const turns = new StreamTurns<string, number>()
  const begun: string[] = []
  const ends = new Map<string, End>()
  const turn = (stream: string, n: number): Promise<number> => {
    begun.push(`${stream} ${n}`)
    return new Promise<number>((resolve, reject) => ends.set(stream, { resolve, reject }))
  }
  return { turns, begun, turn, end: (stream: string) => ends.get(stream) as End }
}

describe('StreamTurns', () => {
  it('tells what is over, once, whatever is still under way', async () => {
    const { turns, turn, end } = rig()
    const taking = turns.take(['a', 'b'], turn)
    end('a').resolve(1)
    await new Promise(setImmediate)
    expect(turns.done()).to.deep.equal([{ stream: 'a', value: 1 }])
    end('b').resolve(2)
    await taking
    expect(turns.done()).to.deep.equal([{ stream: 'b', value: 2 }])
    expect(turns.done()).to.deep.equal([])
  })

  it('begins with no stream again before it is over', async () => {
    const { turns, begun, turn, end } = rig()
    void turns.take(['a', 'b'], turn)
    end('a').resolve(1)
    await new Promise(setImmediate)
    const taking = turns.take(['a', 'b'], turn)
    expect(begun).to.deep.equal(['a 0', 'b 1', 'a 0'])
    end('b').resolve(2)
    end('a').resolve(3)
    await taking
    expect(turns.done().map(({ value }) => value)).to.deep.equal([1, 2, 3])
  })

  it('throws what a turn has failed with when it is asked, and goes on', async () => {
    const { turns, begun, turn, end } = rig()
    const taking = turns.take(['a', 'b'], turn)
    end('a').reject(new Error('no'))
    end('b').resolve(2)
    await taking
    expect(() => turns.done()).to.throw('no')
    void turns.take(['a'], turn)
    expect(begun).to.have.length(3)
  })
})
