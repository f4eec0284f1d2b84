import { expect } from 'chai'
import { planClients } from '../../src/multilang/client-rules.ts'
import { parseProperties } from '../../src/multilang/properties.ts'
import { PropertySheet } from '../../src/multilang/property-rules.ts'

function clientsOf(text: string) {
  const sheet = new PropertySheet(parseProperties(Buffer.from(text, 'latin1')))
  const clients = planClients(sheet)
  return { ...clients, problems: sheet.problems.map(({ property, problem }) => `${property} ${problem}`), sheet }
}

const DEFAULT = [{ kind: 'default' }]

describe('planClients', () => {
  it('gives every client the region, and each the endpoint that is its own', () => {
    const text = 'regionName=eu-west-1\nkinesisEndpoint=https://kinesis.example/\ndynamoDBEndpoint=http://[::1]:8000'
    const { kinesisClient, dynamoDbClient, cloudWatchClient, problems } = clientsOf(text)
    expect(problems).to.deep.equal([])
    expect(kinesisClient).to.deep.equal({
      ...{ region: 'eu-west-1', endpoint: 'https://kinesis.example/', credentials: DEFAULT }
    })
    expect(dynamoDbClient).to.deep.equal({
      ...{ region: 'eu-west-1', endpoint: 'http://[::1]:8000', credentials: DEFAULT }
    })
    expect(cloudWatchClient).to.deep.equal({ region: 'eu-west-1', credentials: DEFAULT })
  })

  it('prefers what is said of one client', () => {
    const { kinesisClient, cloudWatchClient, sheet } = clientsOf(
      [
        'regionName=eu-west-1',
        'kinesisEndpoint=https://a.example',
        'kinesisClient.region=us-gov-west-1',
        'kinesisClient.endpointOverride=https://b.example',
        'kinesisClient.fipsEnabled=true',
        'kinesisClient.dualstackEnabled=false',
        'cloudWatchClient.endpointOverride=https://c.example'
      ].join('\n')
    )
    expect(kinesisClient).to.deep.equal({
      ...{ region: 'us-gov-west-1', endpoint: 'https://b.example', credentials: DEFAULT },
      ...{ useFipsEndpoint: true, useDualstackEndpoint: false }
    })
    expect(cloudWatchClient.endpoint).to.equal('https://c.example')
    expect(sheet.findings.filter(({ kind }) => kind === 'overridden').map(({ property }) => property)).to.deep.equal([
      'kinesisEndpoint'
    ])
  })

  it('falls back to the credentials for Kinesis', () => {
    const both = 'AwsCredentialsProvider=EnvironmentVariableCredentialsProvider\n'
    const { kinesisClient, dynamoDbClient, cloudWatchClient } = clientsOf(
      `${both}AwsCredentialsProviderDynamoDB=InstanceProfileCredentialsProvider`
    )
    expect(kinesisClient.credentials).to.deep.equal([{ kind: 'environment' }])
    expect(dynamoDbClient.credentials).to.deep.equal([{ kind: 'instance' }])
    expect(cloudWatchClient.credentials).to.deep.equal([{ kind: 'environment' }])
  })

  for (const [line, problem] of [
    ['regionName=Ireland', /^regionName is "Ireland", expected a region such as us-east-1$/],
    ['kinesisEndpoint=kinesis.eu-west-1.amazonaws.com', /^kinesisEndpoint .* expected a URL such as https:/],
    ['AwsCredentialsProvider=Mine', /^AwsCredentialsProvider names Mine, a class that only Java can load/],
    ['kinesisClient.fipsEnabled=perhaps', /^kinesisClient\.fipsEnabled is "perhaps", expected true or false$/]
  ] as const) {
    it(`refuses ${line}`, () => {
      const { problems } = clientsOf(line)
      expect(problems).to.have.length(1)
      expect(problems[0]).to.match(problem)
    })
  }
})
