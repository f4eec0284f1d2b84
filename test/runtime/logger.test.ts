import { expect } from 'chai'
import { consoleLogger, safeLogger, silentLogger } from '../../src/runtime/logger.ts'
import { unhandledRejectionsOf } from '../support/rejections.ts'

function captured(work: () => void): string[] {
  const lines: string[] = []
  const original = console.error
  console.error = (line: string) => void lines.push(line)
  try {
    work()
  } finally {
    console.error = original
  }
  return lines
}

describe('consoleLogger', () => {
  it('writes one line of JSON from its level upwards', () => {
    const lines = captured(() => {
      const logger = consoleLogger('warn')
      logger.debug({}, 'no')
      logger.info({}, 'no')
      logger.warn({ shardId: 's', big: 5n }, 'a warning')
      const cause = new TypeError('underneath')
      logger.error({ error: Object.assign(new Error('broken', { cause }), { code: 'X' }) }, 'an error')
    })
    expect(lines).to.have.length(2)
    expect(JSON.parse(lines[0] ?? '')).to.deep.equal({ level: 'warn', msg: 'a warning', shardId: 's', big: '5' })
    const { error } = JSON.parse(lines[1] ?? '')
    expect(error).to.include({ name: 'Error', message: 'broken', code: 'X' })
    expect(error.cause).to.include({ name: 'TypeError', message: 'underneath' })
  })

  it('names only the size of bytes, never what is in them', () => {
    const [line = ''] = captured(() => consoleLogger().info({ data: Buffer.from('secret') }, 'data'))
    expect(line).to.not.include('secret').and.not.include('115')
  })
})

describe('what is thrown', () => {
  it('is logged though it is circular, and only what identifies an error is printed of it', () => {
    const circular: { self?: unknown; secret: string } = { secret: 'hunter2' }
    circular.self = circular
    const loop = new Error('loop')
    loop.cause = loop
    const lines = captured(() => {
      consoleLogger().error({ error: new Error('with an object', { cause: circular }) }, 'first')
      consoleLogger().error({ error: loop }, 'second')
      consoleLogger().error({ circular }, 'third')
    })
    expect(lines.map(line => JSON.parse(line).msg)).to.deep.equal(['first', 'second', 'third'])
    expect(lines.join()).to.not.include('hunter2')
  })
})

describe('safeLogger', () => {
  it('passes lines on, as methods of the logger given, and swallows what that throws', () => {
    const lines: string[] = []
    class Given {
      readonly prefix = 'given: '
      readonly debug = () => {}
      readonly info = () => {}
      warn(_: object, message: string): void {
        lines.push(this.prefix + message)
      }
      error(): void {
        throw new Error('the file is closed')
      }
    }
    const logger = safeLogger(new Given())
    logger.warn({}, 'a line')
    logger.error({}, 'another line')
    expect(lines).to.deep.equal(['given: a line'])
  })
})

describe('safeLogger on an async logger', () => {
  it('leaves no rejection behind', async () => {
    const fail = async (): Promise<never> => {
      throw new Error('the log cannot be reached')
    }
    const logger = safeLogger({ debug: fail, info: fail, warn: fail, error: fail })
    const rejections = await unhandledRejectionsOf(() => logger.error({}, 'a line'))
    expect(rejections).to.deep.equal([])
  })
})

describe('silentLogger', () => {
  it('writes nothing', () => {
    expect(captured(() => silentLogger.error({}, 'no'))).to.deep.equal([])
  })
})
