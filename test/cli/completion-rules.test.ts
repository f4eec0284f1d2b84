import { execFileSync } from 'node:child_process'
import { expect } from 'chai'
import { type CompletedCommand, completionScript, SHELLS } from '../../src/cli/completion-rules.ts'

const COMMANDS: readonly CompletedCommand[] = [
  {
    name: 'run',
    summary: "run a module [of the user's]",
    flags: [
      { long: '--stream', short: '-s', summary: "stream: the user's", takesValue: true },
      { long: '--level', summary: 'level', takesValue: true, words: ['warn', 'error'] },
      { long: '--module', summary: 'module', takesValue: true, takesFiles: true },
      { long: '--json', summary: 'JSON', takesValue: false }
    ],
    takesFiles: true,
    words: []
  },
  { name: 'completion', summary: 'print a script', flags: [], takesFiles: false, words: ['bash', 'zsh', 'fish'] }
]

describe('completionScript', () => {
  it('has every command and flag, for every shell', () => {
    for (const shell of SHELLS) {
      const script = completionScript(shell, 'millrace', COMMANDS)
      for (const word of ['run', 'completion', 'stream', 'json', 'bash zsh fish'])
        expect(script, shell).to.include(word)
    }
  })

  /** What bash offers for a command line. */
  const offered = (line: string): string[] => {
    const words = line.split(' ')
    const script = `${completionScript('bash', 'millrace', COMMANDS)}
COMP_WORDS=(${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _millrace; echo "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' })
      .trim()
      .split(' ')
      .filter(word => word !== '')
  }

  it('completes in bash: commands, flags, words', () => {
    expect(offered('millrace ')).to.deep.equal(['run', 'completion', '--help', '--version'])
    expect(offered('millrace r')).to.deep.equal(['run'])
    expect(offered('millrace run --s')).to.deep.equal(['--stream'])
    expect(offered('millrace completion z')).to.deep.equal(['zsh'])
    expect(offered('millrace run package.js')).to.include('package.json')
    expect(offered('millrace other ')).to.deep.equal([])
  })

  it('completes in bash what stands behind a flag: words, files, or nothing where anything can stand', () => {
    expect(offered('millrace run --level ')).to.deep.equal(['warn', 'error'])
    expect(offered('millrace run --module package.js')).to.deep.equal(['package.json'])
    expect(offered('millrace run -s --js')).to.deep.equal([])
    expect(offered('millrace run -s orders --js')).to.deep.equal(['--json'])
  })

  it('keeps quotes and brackets in what is told from breaking the others', () => {
    const zsh = completionScript('zsh', 'millrace', COMMANDS)
    expect(zsh).to.include(`'run:run a module [of the user'\\''s]'`)
    expect(zsh).to.include(`'*--stream[stream\\: the user'\\''s]:value: '`)
    const fish = completionScript('fish', 'millrace', COMMANDS)
    expect(fish).to.include(`-l stream -s s -x -d 'stream: the user'\\''s'`)
  })
})
