import { expect } from 'chai'
import { confirmed } from '../../src/cli/confirmation.ts'
import { OptionError } from '../../src/model/errors.ts'
import { CliRig } from '../support/cli-rig.ts'

describe('confirmed', () => {
  const ask = async (answer: string): Promise<boolean> => {
    const rig = new CliRig()
    rig.stdin.isTTY = true
    rig.stdin.write(answer)
    const outcome = await confirmed(rig.context(), 'This deletes everything.', {})
    expect(rig.stderr.text).to.equal('This deletes everything.\nGo on? [y/N] ')
    return outcome
  }

  it('takes yes for yes, and everything else for no', async () => {
    for (const answer of ['y\n', 'Y\n', 'yes\n', ' yes \r\n']) expect(await ask(answer), answer).to.equal(true)
    for (const answer of ['\n', 'n\n', 'yep\n', 'no\n']) expect(await ask(answer), answer).to.equal(false)
  })

  it('takes the end of the input for no', async () => {
    const rig = new CliRig()
    rig.stdin.isTTY = true
    rig.type('')
    expect(await confirmed(rig.context(), 'This deletes everything.', {})).to.equal(false)
  })

  it('does not ask whoever said --yes', async () => {
    const rig = new CliRig()
    expect(await confirmed(rig.context(), 'This deletes everything.', { yes: true })).to.equal(true)
    expect(rig.stderr.text).to.equal('')
  })

  it('refuses where nobody is there to be asked: a pipe, or a program', async () => {
    const rig = new CliRig()
    const refusal = await confirmed(rig.context(), 'This deletes everything.', {}).catch(error => error)
    expect(refusal).to.be.instanceOf(OptionError)
    expect(refusal.message).to.equal('Option --yes: is missing, and there is nobody to ask. This deletes everything.')
    rig.stdin.isTTY = true
    const other = await confirmed(rig.context({ json: true }), 'This deletes everything.', {}).catch(error => error)
    expect(other).to.be.instanceOf(OptionError)
  })
})
