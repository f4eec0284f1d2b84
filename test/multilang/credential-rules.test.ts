import { expect } from 'chai'
import { KNOWN_PROVIDERS, parseCredentials } from '../../src/multilang/credential-rules.ts'

const ROLE = 'arn:aws:iam::123456789012:role/reader'
const sourcesOf = (value: string): unknown => {
  const outcome = parseCredentials(value)
  return outcome.kind === 'sources' ? outcome.sources : outcome.problem
}

describe('parseCredentials', () => {
  const CASES: readonly (readonly [string, readonly object[]])[] = [
    ['DefaultCredentialsProvider', [{ kind: 'default' }]],
    ['DefaultAWSCredentialsProviderChain', [{ kind: 'default' }]],
    ['software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider', [{ kind: 'default' }]],
    ['com.amazonaws.auth.DefaultAWSCredentialsProviderChain', [{ kind: 'default' }]],
    ['EnvironmentVariableCredentialsProvider', [{ kind: 'environment' }]],
    ['ProfileCredentialsProvider', [{ kind: 'profile' }]],
    ['ProfileCredentialsProvider|prod', [{ kind: 'profile', profile: 'prod' }]],
    ['com.amazonaws.auth.profile.ProfileCredentialsProvider|prod', [{ kind: 'profile', profile: 'prod' }]],
    ['StaticCredentialsProvider|id|key', [{ kind: 'static', accessKeyId: 'id', secretAccessKey: 'key' }]],
    [
      'KclStaticCredentialsProvider|id|key|token',
      [{ kind: 'static', accessKeyId: 'id', secretAccessKey: 'key', sessionToken: 'token' }]
    ],
    ['InstanceProfileCredentialsProvider', [{ kind: 'instance' }]],
    ['ContainerCredentialsProvider', [{ kind: 'container' }]],
    ['EC2ContainerCredentialsProviderWrapper', [{ kind: 'container-or-instance' }]],
    ['WebIdentityTokenFileCredentialsProvider', [{ kind: 'web-identity' }]],
    [`StsAssumeRoleCredentialsProvider|${ROLE}|me`, [{ kind: 'assume-role', roleArn: ROLE, sessionName: 'me' }]],
    [
      `software.amazon.awssdk.services.sts.auth.StsAssumeRoleCredentialsProvider|${ROLE}|me|endpointRegion=eu-west-1`,
      [{ kind: 'assume-role', roleArn: ROLE, sessionName: 'me', region: 'eu-west-1' }]
    ],
    [
      `KclSTSAssumeRoleSessionCredentialsProvider|${ROLE}|me|externalId=x|endpoint=sts.example^us-east-2`,
      [
        {
          ...{ kind: 'assume-role', roleArn: ROLE, sessionName: 'me', externalId: 'x' },
          ...{ endpoint: 'https://sts.example', region: 'us-east-2' }
        }
      ]
    ],
    [
      ' EnvironmentVariableCredentialsProvider , ProfileCredentialsProvider | prod ,',
      [{ kind: 'environment' }, { kind: 'profile', profile: 'prod' }]
    ]
  ]
  for (const [value, sources] of CASES) {
    it(`understands ${value}`, () => expect(sourcesOf(value)).to.deep.equal(sources))
  }

  const REFUSED: readonly (readonly [string, RegExp])[] = [
    ['com.example.Mine', /com\.example\.Mine, a class that only Java can load; expected one of DefaultCred.*StsAssume/],
    ['SystemPropertyCredentialsProvider', /which reads system properties of a JVM, and there is none$/],
    ['AnonymousCredentialsProvider', /signs nothing/],
    ['ProcessCredentialsProvider', /credential_process/],
    ['StaticCredentialsProvider|id', /needs two arguments/],
    ['StsAssumeRoleCredentialsProvider|reader|me', /needs two arguments: NAME\|arn:aws:iam::ACCOUNT:role\/ROLE\|/],
    [`StsAssumeRoleCredentialsProvider|${ROLE}|me|region=eu-west-1`, /an argument region, expected endpointRegion/],
    [`StsAssumeRoleCredentialsProvider|${ROLE}|me|endpoint=https://sts`, /an endpoint without a region/],
    [`StsAssumeRoleCredentialsProvider|${ROLE}|me|eu-west-1`, /no key=value/],
    ['constructor', /names constructor, a class/],
    [' , ', /names no provider/]
  ]
  for (const [value, problem] of REFUSED) {
    it(`refuses ${value}`, () => expect(sourcesOf(value)).to.match(problem))
  }

  it('tells every problem at once, and nothing that may be secret', () => {
    const problem = sourcesOf('Mine|s3cret,StaticCredentialsProvider|s3cret')
    expect(problem).to.match(/Mine.*; names StaticCredentialsProvider/)
    expect(problem).to.not.include('s3cret')
  })

  it('tells no key that was written with another separator', () => {
    const problem = sourcesOf(
      'StaticCredentialsProvider:AKIA0123456789ABCDEF:s3cret, aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA3bC6dEfg'
    )
    expect(problem).to.match(/^names StaticCredentialsProvider…, which is no class; expected one of .*NAME\|ARGUMENT/)
    expect(problem).to.match(/; names …, which is no class/)
    expect(problem).to.not.match(/AKIA|s3cret|aB3/)
  })

  it('offers only providers that it takes', () => {
    expect(KNOWN_PROVIDERS).to.include.members(['DefaultCredentialsProvider', 'StsAssumeRoleCredentialsProvider'])
    expect(KNOWN_PROVIDERS).to.not.include('AnonymousCredentialsProvider')
  })
})
