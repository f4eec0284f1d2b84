import { expect } from 'chai'
import { makeProgram } from '../../src/cli/program.ts'
import { CliRig } from '../support/cli-rig.ts'

describe('millrace completion', () => {
  it('prints a script with every command and flag of the program', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const rig = new CliRig()
      expect(await rig.run('completion', shell)).to.equal(0)
      for (const command of makeProgram(rig.ports, '1').command.commands) {
        expect(rig.stdout.text, shell).to.include(command.name())
        for (const { long } of command.options) expect(rig.stdout.text, shell).to.include(long?.slice(2))
      }
    }
  })

  it('says which shells there are', async () => {
    const rig = new CliRig()
    expect(await rig.run('completion', 'tcsh')).to.equal(2)
    expect(rig.stderr.text).to.equal('millrace: Option shell: is "tcsh", expected bash, zsh or fish\n')
  })

  it('gives a program the script in JSON', async () => {
    const rig = new CliRig()
    expect(await rig.run('completion', 'bash', '--json')).to.equal(0)
    expect(rig.stdout.objects[0]).to.include({ shell: 'bash' })
  })
})
