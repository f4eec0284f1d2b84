import { expect } from 'chai'
import { javaWish } from '../../src/cli/java-rules.ts'

const DAEMON = 'software.amazon.kinesis.multilang.MultiLangDaemon'
const files = { delimiter: ':', isFile: (path: string) => path === '/app/conf/a.properties' }
const wish = (...argv: readonly string[]) => javaWish(argv, files)
const daemon = (...argv: readonly string[]) => ({ kind: 'daemon', argv: ['multilang', ...argv], ignored: [] })

describe('javaWish', () => {
  it('is the daemon, as kcl-bootstrap starts it', () => {
    expect(wish('-cp', '/jars/a.jar:/jars/b.jar:/app', DAEMON, '--properties-file', '/app/a.properties')).to.deep.equal(
      daemon('--properties', '/app/a.properties')
    )
  })

  it('is the daemon with a log configuration, and with a file alone', () => {
    expect(wish('-cp', 'x', DAEMON, '-p', 'a.properties', '-l', 'log.xml')).to.deep.equal(
      daemon('--properties', 'a.properties', '--log-configuration', 'log.xml')
    )
    expect(wish('-cp', 'x', 'com.amazonaws.services.kinesis.multilang.MultiLangDaemon', 'a.properties')).to.deep.equal(
      daemon('a.properties')
    )
  })

  it('looks for the file in the class path first, as the helper of Python expects', () => {
    const found = daemon('--properties', '/app/conf/a.properties')
    for (const given of [['-cp'], ['-classpath'], ['--class-path']]) {
      const path = '/jars/*:/jars/a.jar::/other:/app/conf/'
      expect(wish(...given, path, DAEMON, '--properties-file', 'a.properties')).to.deep.equal(found)
    }
    expect(wish('--class-path=/app/conf', DAEMON, '--properties-file', 'a.properties')).to.deep.equal(found)
    expect(wish('-cp', '/app/conf', DAEMON, 'b.properties')).to.deep.equal(daemon('b.properties'))
    expect(wish('-cp', '/app/conf', DAEMON, '/a.properties')).to.deep.equal(daemon('/a.properties'))
  })

  it('says which options of the JVM it ignores', () => {
    const argv = [
      '-Xmx2g',
      '-Daws.region=x',
      '--add-opens',
      'java.base/java.lang=ALL',
      '-cp',
      'x',
      DAEMON,
      'a.properties'
    ]
    expect(wish(...argv)).to.deep.equal({
      ...daemon('a.properties'),
      ignored: ['-Xmx2g', '-Daws.region=x', '--add-opens java.base/java.lang=ALL']
    })
  })

  it('is the version', () => {
    expect(wish('-version')).to.deep.equal({ kind: 'version', to: 'stderr' })
    expect(wish('-Xmx1g', '--version')).to.deep.equal({ kind: 'version', to: 'stdout' })
  })

  for (const [argv, why] of [
    [[], /it names no class$/],
    [['-cp', DAEMON], /it names no class$/],
    [['-jar', 'app.jar'], /it names the class app\.jar$/],
    [['-cp', 'x', 'com.example.Main', 'a.properties'], /it names the class com\.example\.Main$/],
    [['-cp', 'x', DAEMON, '--properties', 'a.properties'], /the daemon knows no argument --properties$/],
    [['-cp', 'x', DAEMON, '-p'], /the daemon knows no argument -p$/]
  ] as const) {
    it(`refuses ${JSON.stringify(argv)}`, () => {
      const refused = wish(...argv)
      expect(refused).to.have.property('kind', 'refused')
      expect(refused).to.have.property('problem').that.matches(why)
    })
  }
})
