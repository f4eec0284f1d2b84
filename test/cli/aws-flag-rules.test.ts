import { expect } from 'chai'
import { clientConfigs } from '../../src/cli/aws-flag-rules.ts'
import { OptionError } from '../../src/model/errors.ts'

describe('clientConfigs', () => {
  it('leaves everything to the environment where nothing is said', () => {
    expect(clientConfigs({}, {})).to.deep.equal({ kinesis: {}, dynamodb: {} })
  })

  it('says region and profile to both, and each endpoint to its own', () => {
    const flags = { endpoint: 'https://kinesis.example', region: 'eu-central-1', profile: 'staging' }
    expect(clientConfigs(flags, {})).to.deep.equal({
      kinesis: flags,
      dynamodb: { region: 'eu-central-1', profile: 'staging' }
    })
  })

  it('needs neither region nor credentials for an endpoint on this machine', () => {
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    for (const endpoint of ['http://127.0.0.1:4567', 'http://localhost:4567/', 'http://[::1]:4567']) {
      const { kinesis } = clientConfigs({ endpoint }, {})
      expect(kinesis).to.deep.equal({ endpoint, region: 'us-east-1', credentials })
    }
    const { dynamodb } = clientConfigs({ endpointDynamodb: 'http://127.0.0.1:8000' }, {})
    expect(dynamodb).to.deep.include({ credentials })
  })

  it('does not put its own credentials in place of those that there are, or that are sent elsewhere', () => {
    const endpoint = 'http://127.0.0.1:4567'
    for (const env of [{ AWS_ACCESS_KEY_ID: 'mine' }, { AWS_PROFILE: 'mine' }]) {
      expect(clientConfigs({ endpoint }, env).kinesis).to.not.have.property('credentials')
    }
    expect(clientConfigs({ endpoint, profile: 'mine' }, {}).kinesis).to.not.have.property('credentials')
    expect(clientConfigs({ endpoint, region: 'eu-west-1' }, {}).kinesis).to.include({ region: 'eu-west-1' })
    expect(clientConfigs({ endpoint }, { AWS_REGION: 'eu-west-1' }).kinesis).to.not.have.property('region')
    for (const elsewhere of ['https://kinesis.example', 'http://127.0.0.1.example', 'http://10.0.0.1:4567']) {
      expect(clientConfigs({ endpoint: elsewhere }, {}).kinesis, elsewhere).to.deep.equal({ endpoint: elsewhere })
    }
  })

  it('refuses what is no URL of a service', () => {
    for (const endpoint of [
      '127.0.0.1:4567',
      'ftp://x',
      'http://',
      'http://a b',
      'http://user@localhost',
      'http://a/b'
    ]) {
      expect(() => clientConfigs({ endpoint }, {}), endpoint).to.throw(OptionError, 'Option --endpoint: is')
    }
    expect(() => clientConfigs({ endpointDynamodb: 'x' }, {})).to.throw(OptionError, '--endpoint-dynamodb')
  })
})
