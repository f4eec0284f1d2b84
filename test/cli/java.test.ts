// What stands in the place of java, as a process: as kcl-bootstrap and amazon_kclpy_helper.py start it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../support/source-files.ts'

const JAVA = join(ROOT, 'dist/cli/java.js')
const DAEMON = 'software.amazon.kinesis.multilang.MultiLangDaemon'

describe('the bin millrace-java', () => {
  let folder: string

  before(() => {
    expect(existsSync(JAVA), 'dist is missing: npm run build').to.equal(true)
    folder = mkdtempSync(join(tmpdir(), 'millrace-java-'))
    writeFileSync(join(folder, 'app.properties'), 'streamName = orders\n')
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

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

  it('runs the daemon with the file that the class path has, and ends with 1 if that is wrong', () => {
    const { status, stdout, stderr } = run('-Xmx1g', '-cp', folder, DAEMON, '--properties-file', 'app.properties')
    expect({ status, stdout }).to.deep.equal({ status: 1, stdout: '' })
    expect(stderr).to.include('options of the JVM have no effect here: -Xmx1g')
    expect(stderr).to.include(`${folder}/app.properties: applicationName is missing`)
  })

  it('ends with 1, as Java does, where there is no such file', () => {
    expect(run('-cp', folder, DAEMON, '--properties-file', 'other.properties').status).to.equal(1)
  })

  it('runs nothing else', () => {
    const { status, stderr } = run('-jar', 'app.jar')
    expect(status).to.equal(1)
    expect(stderr).to.match(/^millrace: this stands in the place of java .* it names the class app\.jar\n$/)
  })
})
