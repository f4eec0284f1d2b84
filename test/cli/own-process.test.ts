// How the program ends that stands in the place of java: as the daemon of Java does, with 0 or 1.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../support/source-files.ts'

const JAVA = join(ROOT, 'dist/cli/java.js')
const DAEMON = 'software.amazon.kinesis.multilang.MultiLangDaemon'

describe('runAsJava', () => {
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

  it('runs the daemon with the file that the class path has, and ends with 1 if that is wrong', () => {
    const { status, stdout, stderr } = run('-Xmx1g', '-cp', folder, DAEMON, '--properties-file', 'app.properties')
    expect({ status, stdout }).to.deep.equal({ status: 1, stdout: '' })
    expect(stderr).to.include('options of the JVM have no effect here: -Xmx1g')
    expect(stderr).to.include(`${folder}/app.properties: applicationName is missing`)
  })

  it('ends with 1, as Java does, where there is no such file', () => {
    expect(run('-cp', folder, DAEMON, '--properties-file', 'other.properties').status).to.equal(1)
  })
})
