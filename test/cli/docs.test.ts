// docs/cli.md says what the program has: its commands, their flags, their exit codes.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Command } from 'commander'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { makeProgram } from '../../src/cli/program.ts'
import { CliRig } from '../support/cli-rig.ts'
import { ROOT } from '../support/source-files.ts'

const page = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8')
const { commands } = makeProgram(new CliRig().ports, '1').command

/** What stands in code in the first column of a table. */
function firstColumn(title: string): string[] {
  const lines = page.split('\n')
  const from = lines.findIndex(line => line.startsWith(`| ${title} |`))
  if (from === -1) return []
  const to = lines.findIndex((line, index) => index > from && !line.startsWith('|'))
  return lines
    .slice(from + 2, to)
    .flatMap(line => Array.from((line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g), ([, code = '']) => code))
}

const flagsOf = (command: Command): string[] =>
  command.options.flatMap(({ short, long }) => [short, long].filter(flag => flag !== undefined))

describe('docs/cli.md', () => {
  const shared = firstColumn('flag')

  it('has a section for each command, and for no other', () => {
    const [, section = ''] = /\n## Commands\n([\s\S]*?)\n## /.exec(page) ?? []
    const told = Array.from(section.matchAll(/^### (.*)$/gm), ([, name]) => name)
    expect(told).to.deep.equal(commands.map(command => command.name()))
  })

  it('says which flags all commands share', () => {
    const withAws = commands.filter(command => !['multilang', 'local', 'completion'].includes(command.name()))
    for (const command of withAws) expect(flagsOf(command), command.name()).to.include.members(shared)
    expect(shared).to.include.members(['--endpoint', '--endpoint-dynamodb', '--region', '--profile', '--json'])
  })

  for (const command of commands) {
    it(`has every flag of ${command.name()}, and no other`, () => {
      const isOfFleet = flagsOf(command).includes('--app') && command.name() !== 'run'
      const known = [...shared, ...(isOfFleet ? firstColumn('flag of a fleet') : [])]
      const own = flagsOf(command).filter(flag => !known.includes(flag))
      if (isOfFleet) expect(flagsOf(command)).to.include.members(firstColumn('flag of a fleet'))
      expect(firstColumn(`flag of \`${command.name()}\``).sort()).to.deep.equal(own.sort())
    })
  }

  it('has every exit code', () => {
    const [, section = ''] = /\n## Exit codes\n([\s\S]*)$/.exec(page) ?? []
    const told = Array.from(section.matchAll(/^\| ([\d, ]+) \|/gm), ([, codes = '']) => codes.split(', ').map(Number))
    expect(told.flat().sort()).to.deep.equal(Object.values(EXIT).sort())
  })

  it('uses no flag in its examples that there is none of', () => {
    const all = new Set(commands.flatMap(flagsOf))
    for (const [, block = ''] of page.matchAll(/\n```\n([\s\S]*?)```/g)) {
      for (const line of block.split('\n').filter(each => each.includes('millrace '))) {
        const [, call = ''] = /\bmillrace ((?!&&).*)/.exec(line) ?? []
        for (const [flag] of call.split('|')[0]?.matchAll(/(?<= )--[a-z-]+/g) ?? []) {
          expect(all.has(flag), line).to.equal(true)
        }
      }
    }
  })
})
