// What stands in the place of java, as a process: as kcl-bootstrap and amazon_kclpy_helper.py start it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../support/source-files.ts'

const JAVA = join(ROOT, 'dist/cli/java.js')

describe('the bin millrace-java', () => {
  before(() => expect(existsSync(JAVA), 'dist is missing: npm run build').to.equal(true))

  const run = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [JAVA, ...args], { cwd: tmpdir(), encoding: 'utf8' })
    return { status, stdout, stderr }
  }

  it('says its version where java does', () => {
    expect(run('-version')).to.deep.include({ status: 0, stdout: '' })
    expect(run('--version').stdout).to.match(
      /^millrace \d+\.\d+\.\d+, in place of java for KCL's multi-language daemon\n$/
    )
  })

  it('runs nothing else', () => {
    const { status, stderr } = run('-jar', 'app.jar')
    expect(status).to.equal(1)
    expect(stderr).to.match(/^millrace: this stands in the place of java .* it names the class app\.jar\n$/)
  })
})
