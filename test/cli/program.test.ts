import { expect } from 'chai'
import { makeProgram } from '../../src/cli/program.ts'
import { CliRig } from '../support/cli-rig.ts'

describe('runCli', () => {
  let rig: CliRig

  beforeEach(() => {
    rig = new CliRig()
    rig.kinesis.createStream('orders', 1)
  })

  it('shows what there is, without a command and when asked', async () => {
    for (const argv of [[], ['--help'], ['-h']]) {
      rig.stdout.text = ''
      expect(await rig.run(...argv)).to.equal(0)
      for (const { name, description } of makeProgram(rig.ports, '1').command.commands.map(command => ({
        name: command.name(),
        description: command.description()
      }))) {
        expect(rig.stdout.text.replaceAll(/\s+/g, ' ')).to.include(name).and.include(description)
      }
    }
    expect(rig.stderr.text).to.equal('')
  })

  it('says its version', async () => {
    expect(await rig.run('--version')).to.equal(0)
    expect(rig.stdout.text).to.equal('1.2.3\n')
  })

  it('ends with 2 at a command or flag that there is none of, and says what was meant', async () => {
    for (const [argv, message] of [
      [['tial', 'orders'], "error: unknown command 'tial'\n(Did you mean tail?)"],
      [['tail', 'orders', '--fom', 'trim'], "error: unknown option '--fom'\n(Did you mean --from?)"],
      [['tail'], "error: missing required argument 'stream'"],
      [['tail', 'orders', '--from'], "option '-f, --from <position>' argument missing"],
      [['tail', 'orders', 'more'], 'too many arguments']
    ] as const) {
      rig.stderr.text = ''
      expect(await rig.run(...argv), argv.join(' ')).to.equal(2)
      expect(rig.stderr.text).to.include(message)
    }
    expect(rig.stdout.text).to.equal('')
  })

  it('tells errors in one line, or in JSON to who asked for that', async () => {
    expect(await rig.run('put', 'other', 'x')).to.equal(1)
    expect(rig.stderr.lines.at(-1)).to.include('refused, the first because')
    rig.stderr.text = ''
    expect(await rig.run('tail', 'orders', '--from', 'x', '--json')).to.equal(2)
    expect(rig.stderr.objects[0]?.error).to.include({ code: 'BAD_OPTION' })
  })

  it('shows where a fault of its own is', async () => {
    rig.kinesis.intercept = () => {
      throw new TypeError('x is not a function')
    }
    expect(await rig.run('tail', 'orders')).to.equal(1)
    expect(rig.stderr.text).to.match(/TypeError: x is not a function\n +at /)
  })
})

describe('makeProgram', () => {
  it('gives every command --json and a line of description, and what talks to AWS the flags that say where', () => {
    for (const command of makeProgram(new CliRig().ports, '1').command.commands) {
      const flags = command.options.map(({ long }) => long)
      expect(flags, command.name()).to.include('--json')
      expect(command.description(), command.name()).to.match(/^[a-z].*[^.]$/)
      const aws = ['--endpoint', '--endpoint-dynamodb', '--region', '--profile']
      const isLocal = ['multilang', 'local', 'completion'].includes(command.name())
      expect(
        flags.filter(flag => aws.includes(flag ?? '')),
        command.name()
      ).to.deep.equal(isLocal ? [] : aws)
      const shorts = command.options.map(({ short }) => short).filter(short => short !== undefined)
      expect(new Set(shorts).size, command.name()).to.equal(shorts.length)
    }
  })
})
