// What pages tell people to type can be typed: every call of `millrace` is one that the program takes, every script of npm and
// every file that is run exists. The commands of the tour are run, in getting-started.test.ts.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as dynamodb from '@aws-sdk/client-dynamodb'
import * as kinesis from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import type { Command } from 'commander'
import { makeProgram } from '../../src/cli/program.ts'
import { CliRig } from '../support/cli-rig.ts'
import { blocksOf, codeIn, PAGES, proseOf } from '../support/pages.ts'
import { commandsIn } from '../support/shell-lines.ts'
import { ROOT } from '../support/source-files.ts'

/** A command, as words, and where it stands. */
interface Told {
  readonly where: string
  readonly words: readonly string[]
}

/** Languages of blocks that are typed; a block without any may be a picture as well. */
const SHELL = ['sh', 'bash', 'console', 'shell']
const NAMES = ['', ...makeProgram(new CliRig().ports, '1').command.commands.map(command => command.name())]
const SPANS = ['fetch', 'process', 'checkpoint']
const FIRST = /^\s*(?:\$ )?(?:\w+=\S+ )*(?:(?:npx|npm|node|bash|millrace|aws)\b|.*\| millrace\b)/

function told(): Told[] {
  return PAGES.flatMap(page => {
    const blocks = blocksOf(page).flatMap(({ line, language, text }) => {
      const typed = text
        .split('\n')
        .filter(each => (language === 'console' ? each.startsWith('$ ') : language !== '' || FIRST.test(each)))
        .map(each => each.replace(/^\$ /, ''))
      if (!SHELL.includes(language) && language !== '') return []
      return commandsOf(`${page}:${line}`, typed.join('\n'))
    })
    const inline = codeIn(proseOf(page)).filter(code => FIRST.test(code) && !isName(code))
    return [...blocks, ...inline.flatMap(code => commandsOf(page, code))]
  })
}

/** Whether it is mentioned, and not called: a program, perhaps with one of its commands; or a span of the tracing. */
function isName(code: string): boolean {
  const [program, name = '', ...others] = code.replace(/^npx /, '').split(' ')
  if (others.length > 0) return false
  if (program === 'npm') return name === 'run'
  return program === 'millrace' && [...NAMES, ...SPANS].includes(name)
}

function commandsOf(where: string, text: string): Told[] {
  try {
    return commandsIn(text).map(words => ({ where, words }))
  } catch (error) {
    throw new Error(`${where}: ${text}`, { cause: error })
  }
}

/** The arguments of a call of millrace, however it is called; `undefined`: it is none. */
function argumentsOf(words: readonly string[]): readonly string[] | undefined {
  const own = words[0] === 'npx' || words[0] === 'exec' ? words.slice(1) : words
  return /^(?:.*\/)?millrace$/.test(own[0] ?? '') ? own.slice(1) : undefined
}

/** The program, of which every command does nothing. */
function harmless(): { readonly command: Command; readonly said: () => string } {
  const rig = new CliRig()
  const { command } = makeProgram(rig.ports, '1.2.3')
  for (const each of command.commands) each.action(() => {})
  return { command, said: () => rig.stderr.text }
}

function refusalOf(args: readonly string[]): string | undefined {
  const { command, said } = harmless()
  try {
    command.parse(args, { from: 'user' })
    return undefined
  } catch (error) {
    const { exitCode } = error as { readonly exitCode?: number }
    return exitCode === 0 ? undefined : `${said().split('\n')[0]} ${error}`
  }
}

describe('the commands on the pages', () => {
  const commands = told()

  it('call millrace as it can be called', () => {
    const calls = commands.flatMap(({ where, words }) => {
      const args = argumentsOf(words)
      return args === undefined ? [] : [{ where, args }]
    })
    expect(calls.length).to.be.greaterThan(40)
    const wrong = calls.flatMap(({ where, args }) => {
      // An ellipsis stands for something, or for nothing.
      const refusal = refusalOf(args)
      const shorter = args.filter(arg => !/^\[?[A-Z]*…\]?$/.test(arg))
      if (refusal === undefined || (shorter.length < args.length && refusalOf(shorter) === undefined)) return []
      return [`${where}: millrace ${args.join(' ')}: ${refusal}`]
    })
    expect(wrong).to.deep.equal([])
  })

  it('would not call it with a flag or a command that there is none of', () => {
    expect(refusalOf(['status', '--app', 'a', '--stream', 's', '--no-such-flag'])).to.include('unknown option')
    expect(refusalOf(['no-such-command'])).to.include('unknown command')
    expect(refusalOf(['move', 'shardId-000000000000'])).to.include('missing required argument')
    expect(refusalOf(['status', 'something'])).to.include('too many arguments')
  })

  it('name scripts of npm that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const named = commands.flatMap(({ where, words: [program, verb = '', ...others] }) => {
      if (program !== 'npm') return []
      const script = verb === 'run' ? others.find(each => !each.startsWith('-')) : verb
      const isScript = verb === 'run' || verb === 'start' || verb === 'test'
      return isScript ? [{ where, script: script ?? '' }] : []
    })
    expect(named.length).to.be.greaterThan(15)
    const missing = named.filter(({ script }) => scripts[script] === undefined)
    expect(missing).to.deep.equal([])
  })

  it('run files that exist', () => {
    const files = commands.flatMap(({ where, words: [program, ...args] }) => {
      if (program !== 'node' && program !== 'bash') return []
      const file = args.find(arg => /^[\w./-]+\/[\w./-]+$/.test(arg))
      return file === undefined ? [] : [{ where, file }]
    })
    expect(files.length).to.be.greaterThan(4)
    const missing = files.filter(({ where, file }) => {
      const isRun = existsSync(join(ROOT, file))
      return !isRun && !where.startsWith('docs/threads.md')
    })
    expect(missing).to.deep.equal([])
  })

  it('ask AWS for what it has', () => {
    const services: Readonly<Record<string, object>> = { kinesis, dynamodb }
    const calls = commands.flatMap(({ where, words: [program, service = '', operation = ''] }) => {
      const client = services[service]
      return program === 'aws' && client !== undefined ? [{ where, client, operation }] : []
    })
    expect(calls.length).to.be.greaterThan(3)
    const unknown = calls.filter(({ client, operation }) => {
      const name = operation.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())
      return !(`${name}Command` in client)
    })
    expect(unknown.map(({ where, operation }) => `${where}: ${operation}`)).to.deep.equal([])
  })
})
