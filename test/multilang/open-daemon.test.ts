import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { DaemonPlan } from '../../src/multilang/daemon-plan.ts'
import { type OpeningPorts, openDaemon } from '../../src/multilang/open-daemon.ts'
import { parseProperties } from '../../src/multilang/properties.ts'
import { planSettings } from '../../src/multilang/settings-rules.ts'
import type { DeadLetterDestination } from '../../src/processor/dead-letter.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { collectingLogger } from '../support/collecting-logger.ts'
import { CollectingMetrics } from '../support/collecting-metrics.ts'

function planOf(...lines: readonly string[]): DaemonPlan {
  const base = ['executableName=a', 'applicationName=orders', 'streamName=s', 'metricsLevel=NONE']
  const outcome = planSettings(parseProperties(Buffer.from([...base, ...lines].join('\n'))), 0)
  if (outcome.kind === 'refused') throw new Error(JSON.stringify(outcome.problems))
  return outcome.plan
}

describe('openDaemon', () => {
  let folder: string
  const logger = collectingLogger()
  const ports = (more: Partial<OpeningPorts> = {}): OpeningPorts => ({
    ...{ clock: new VirtualClock(), random: seededRandom(1), env: {}, logger },
    resolvePath: path => join(folder, path),
    ...more
  })

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-open-'))
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('says nothing about clients where the environment decides everything', async () => {
    const { settings } = await openDaemon(planOf(), ports())
    expect(settings.command).to.deep.equal(['a'])
    expect(settings.worker).to.not.have.any.keys('kinesis', 'dynamodb', 'metrics', 'deadLetters')
  })

  it('configures the clients, each with its credentials', async () => {
    const plan = planOf(
      'regionName=eu-west-1',
      'kinesisEndpoint=http://127.0.0.1:1',
      'AwsCredentialsProvider=StaticCredentialsProvider|id|key',
      'AwsCredentialsProviderDynamoDB=EnvironmentVariableCredentialsProvider'
    )
    const env = { AWS_ACCESS_KEY_ID: 'env', AWS_SECRET_ACCESS_KEY: 'secret' }
    const { settings } = await openDaemon(plan, ports({ env }))
    const { kinesis, dynamodb } = settings.worker as unknown as Record<
      string,
      { region: string; endpoint?: string; credentials: () => Promise<{ accessKeyId: string }> }
    >
    expect(kinesis).to.include({ region: 'eu-west-1', endpoint: 'http://127.0.0.1:1' })
    expect((await kinesis?.credentials())?.accessKeyId).to.equal('id')
    expect(dynamodb).to.include({ region: 'eu-west-1' }).and.not.to.have.property('endpoint')
    expect((await dynamodb?.credentials())?.accessKeyId).to.equal('env')
  })

  const NAMES: readonly (readonly [string, string])[] = [
    ['stream:failed', 'stream failed'],
    ['stream:arn:aws:kinesis:eu-west-1:123456789012:stream/failed', 'failed'],
    ['sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/failed', 'failed'],
    ['s3://letters/orders', 's3://letters/orders']
  ]
  for (const [place, name] of NAMES) {
    it(`opens ${place}`, async () => {
      const plan = planOf('regionName=eu-west-1', 'millrace.then=dead-letter', `millrace.deadLetters=${place}`)
      const { settings } = await openDaemon(plan, ports())
      const destination = settings.worker.deadLetters as DeadLetterDestination
      expect(destination.name).to.include(name)
      await destination.close?.()
    })
  }

  it('writes dead letters to a file beside the directory that it was started in', async () => {
    const plan = planOf('millrace.then=dead-letter', 'millrace.deadLetters=file:letters.jsonl')
    const { settings } = await openDaemon(plan, ports())
    const destination = settings.worker.deadLetters as DeadLetterDestination
    expect(destination.name).to.include(join(folder, 'letters.jsonl'))
    expect(() => readFileSync(join(folder, 'letters.jsonl'))).to.throw('ENOENT')
  })

  it('goes on without CloudWatch where its package is missing, and says so', async () => {
    const plan = { ...planOf(), cloudWatch: { level: 'worker', namespace: 'orders' } } as const
    const loadCloudWatch = async (): Promise<never> => {
      throw new Error('millrace/metrics/cloudwatch needs @aws-sdk/client-cloudwatch, which is not installed')
    }
    const { settings } = await openDaemon(plan, ports({ loadCloudWatch }))
    expect(settings.worker).to.not.have.property('metrics')
    expect(logger.lines.at(-1)).to.deep.include({ level: 'warn' })
  })

  it('sends metrics to CloudWatch, beside those that are wanted anyway', async () => {
    const plan = { ...planOf('regionName=eu-west-1'), cloudWatch: { level: 'shard', namespace: 'orders' } } as const
    const metrics = new CollectingMetrics()
    const opened = await openDaemon(plan, ports({ metrics }))
    expect(opened.settings.worker.metrics?.levels).to.include('shard')
    expect(opened.settings.worker.metrics).to.not.equal(metrics)
    opened.close()
  })
})
