import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect } from 'chai'
import { CliRig } from '../support/cli-rig.ts'

describe('millrace local', () => {
  it('starts both, makes the streams, prints the environment, and ends at Ctrl-C', async () => {
    const rig = new CliRig()
    const running = rig.run(
      'local',
      '--kinesis-port',
      '0',
      '--dynamo-port',
      '0',
      '--stream',
      'orders:2',
      '-s',
      'clicks'
    )
    await rig.stdout.until(text => text.includes('Ctrl-C'))
    const variables = Object.fromEntries(
      rig.stdout.lines.filter(line => line.startsWith('export ')).map(line => line.slice(7).split('='))
    )
    expect(Object.keys(variables)).to.include.members([
      'AWS_ENDPOINT_URL_KINESIS',
      'AWS_ENDPOINT_URL_DYNAMODB',
      'AWS_REGION',
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY'
    ])
    // Everything but the exports is a comment to a shell.
    expect(rig.stdout.lines.every(line => /^(export \w+=\S+|#.*)$/.test(line))).to.equal(true)
    expect(rig.stdout.text).to.include('# stream orders has 2 shards\n# stream clicks has 1 shard\n')
    for (const name of ['AWS_ENDPOINT_URL_KINESIS', 'AWS_ENDPOINT_URL_DYNAMODB']) {
      expect((await fetch(variables[name] ?? '')).status, name).to.be.oneOf([200, 403, 404])
    }
    rig.signal('SIGTERM')
    expect(await running).to.equal(0)
    expect(await fetch(variables.AWS_ENDPOINT_URL_KINESIS ?? '').catch(() => 'gone')).to.equal('gone')
  })

  it('tells a program in one line', async () => {
    const rig = new CliRig()
    const running = rig.run('local', '--kinesis-port', '0', '--dynamo-port', '0', '--json')
    await rig.stdout.until(text => text.includes('\n'))
    const [told = {}] = rig.stdout.objects
    expect(told).to.have.keys('kinesis', 'dynamodb', 'streams', 'environment')
    expect(told.environment).to.include({ AWS_ENDPOINT_URL_KINESIS: told.kinesis })
    rig.signal()
    expect(await running).to.equal(0)
  })

  it('starts nothing if a port is taken or a flag is wrong', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const rig = new CliRig()
    expect(await rig.run('local', '--kinesis-port', '0', '--dynamo-port', String(port))).to.equal(1)
    other.close()
    expect(rig.stderr.text).to.include('dynalite could not listen')
    expect(rig.stdout.text).to.equal('')
    expect(await rig.run('local', '--stream', 'orders:many')).to.equal(2)
    expect(await rig.run('local', '--kinesis-port', '99999')).to.equal(2)
  })
})
