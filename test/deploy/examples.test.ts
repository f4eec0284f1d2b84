// The deployment examples, as far as they can be checked without the tools that they are for: they can be read, and the numbers
// that have to fit together do.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse, parseAllDocuments } from 'yaml'
import { CONTROL_TABLE_KEY } from '../../src/leases/dynamo-control-item.ts'
import { LEASE_TABLE_KEY } from '../../src/leases/dynamo-item.ts'
import { METRICS } from '../../src/metrics/metric-table.ts'
import { ROOT } from '../support/source-files.ts'

const read = (path: string): string => readFileSync(join(ROOT, 'deploy', path), 'utf8')

/** How long a stop takes at most beyond its grace: leaving the fleet, closing connections. Seconds. */
const AFTER_GRACE_S = 10

/** The flags of `millrace run`, of a list with them or of a line. */
function flagsOf(args: readonly string[]): Readonly<Record<string, string>> {
  const words = args.flatMap(arg => arg.split('='))
  return Object.fromEntries(
    words.flatMap((word, index) => (word.startsWith('--') ? [[word.slice(2), words[index + 1] ?? '']] : []))
  )
}

const seconds = (text: string | undefined): number => Number(/^(\d+)s$/.exec(text ?? '')?.[1])
const heapMb = (options: string | undefined): number => Number(/--max-old-space-size=(\d+)/.exec(options ?? '')?.[1])

/** What is the same wherever it runs. */
function expectConsumer(flags: Readonly<Record<string, string>>, killedAfterS: number): void {
  expect(Object.keys(flags)).to.include.members(['stream', 'app', 'grace', 'health-port'])
  expect(seconds(flags.grace)).to.be.greaterThan(0)
  expect(killedAfterS).to.be.at.least(seconds(flags.grace) + AFTER_GRACE_S)
}

/** Heap, a quarter of it again for payloads, and 15 % for Node and its threads have to fit. */
function expectHeapFits(heap: number, memoryMb: number): void {
  expect(heap / memoryMb).to.be.within(0.5, 0.61)
  expect(heap * 1.25 + memoryMb * 0.15).to.be.at.most(memoryMb)
}

describe('the image', () => {
  const lines = read('docker/Dockerfile')
    .replace(/\\\n/g, '')
    .split('\n')
    .filter(line => /^[A-Z]/.test(line))
  const last = (word: string): string =>
    lines
      .filter(line => line.startsWith(`${word} `))
      .at(-1)
      ?.slice(word.length + 1) ?? ''

  it('runs as a number that is not root, on a supported Node, without development packages', () => {
    expect(Number(last('USER'))).to.be.greaterThan(0)
    for (const line of lines.filter(each => each.startsWith('FROM'))) expect(line).to.match(/^FROM node:2[2-9]-slim/)
    expect(last('RUN')).to.include('tini')
    expect(lines).to.include('RUN npm ci --omit=dev')
  })

  it('is started without a shell, npm or npx, so that SIGTERM arrives', () => {
    const started = [...JSON.parse(last('ENTRYPOINT')), ...JSON.parse(last('CMD'))] as string[]
    expect(started.slice(0, 5)).to.deep.equal(['tini', '--', 'node_modules/.bin/millrace', 'run', 'handler.mjs'])
    const flags = flagsOf(started)
    expectConsumer(flags, 120)
    expect(last('EXPOSE')).to.equal(flags['health-port'])
    expect(read('docker/Dockerfile')).to.include(`http://127.0.0.1:${flags['health-port']}/livez`)
  })

  it('has what it copies among the files that are not ignored', () => {
    const [everything, ...kept] = read('docker/.dockerignore').trim().split('\n')
    expect(everything).to.equal('*')
    const copied = lines.filter(line => /^COPY (?!--from)/.test(line)).flatMap(line => line.split(' ').slice(1, -1))
    expect(new Set(kept.map(line => line.slice(1)))).to.deep.equal(new Set(copied))
  })
})

describe('the task for ECS', () => {
  const task = JSON.parse(read('ecs/task-definition.json'))
  const [container] = task.containerDefinitions
  const environment = Object.fromEntries(
    container.environment.map(({ name, value }: { name: string; value: string }) => [name, value])
  )

  it('drains before it is killed, within what Fargate allows', () => {
    expectConsumer(flagsOf(container.command), container.stopTimeout)
    expect(container.stopTimeout).to.be.at.most(120)
  })

  it('has a heap that fits into its memory', () => {
    expectHeapFits(heapMb(environment.NODE_OPTIONS), Number(task.memory))
  })

  it('is asked whether it lives, at its port, for longer than a handler may block', () => {
    const { command, interval, retries } = container.healthCheck
    expect(command[0]).to.equal('CMD')
    expect(command.join(' ')).to.include(`127.0.0.1:${flagsOf(container.command)['health-port']}/livez`)
    expect(interval * retries).to.be.at.least(60)
  })

  it('is what the service runs, which never has fewer workers than before', () => {
    const service = JSON.parse(read('ecs/service.json'))
    expect(service.taskDefinition).to.equal(task.family)
    expect(service.deploymentConfiguration.minimumHealthyPercent).to.equal(100)
    expect(service.networkConfiguration.awsvpcConfiguration.assignPublicIp).to.equal('DISABLED')
  })
})

describe('the objects for Kubernetes', () => {
  const documents = parseAllDocuments(read('kubernetes/consumer.yaml'))
  const objects = documents.map(document => document.toJS())
  const ofKind = (kind: string) => objects.find(object => object.kind === kind)
  const pod = ofKind('Deployment').spec.template
  const [container] = pod.spec.containers
  const flags = flagsOf(container.args)

  it('can be read', () => {
    expect(documents.flatMap(({ errors }) => errors)).to.deep.equal([])
    expect(objects.map(({ kind }) => kind)).to.deep.equal([
      'ServiceAccount',
      'Deployment',
      'PodDisruptionBudget',
      'NetworkPolicy'
    ])
  })

  it('drain before they are killed', () => {
    expectConsumer(flags, pod.spec.terminationGracePeriodSeconds)
  })

  it('have a heap that fits into their memory, of which no more than was asked for may be used', () => {
    const { NODE_OPTIONS } = Object.fromEntries(
      container.env.map(({ name, value }: { name: string; value: string }) => [name, value])
    )
    expectHeapFits(heapMb(NODE_OPTIONS), Number(/^(\d+)Gi$/.exec(container.resources.limits.memory)?.[1]) * 1_024)
    expect(container.resources.requests.memory).to.equal(container.resources.limits.memory)
  })

  it('are probed at the port where they listen, from outside the pod', () => {
    const [port] = container.ports
    expect(String(port.containerPort)).to.equal(flags['health-port'])
    expect(flags['health-host']).to.equal('0.0.0.0')
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      expect(container[probe].httpGet.port).to.equal(port.name)
    expect(container.livenessProbe.httpGet.path).to.equal('/livez')
    expect(container.livenessProbe.periodSeconds * container.livenessProbe.failureThreshold).to.be.at.least(60)
    expect(pod.metadata.annotations['prometheus.io/port']).to.equal(flags['health-port'])
    expect(String(ofKind('NetworkPolicy').spec.ingress[0].ports[0].port)).to.equal(flags['health-port'])
  })

  it('may do nothing that they do not need', () => {
    expect(pod.spec.securityContext.runAsNonRoot).to.equal(true)
    expect(container.securityContext).to.deep.equal({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] }
    })
    expect(pod.spec.automountServiceAccountToken).to.equal(false)
  })

  it('all select the same pods', () => {
    const { labels } = pod.metadata
    expect(ofKind('Deployment').spec.selector.matchLabels).to.deep.equal(labels)
    expect(ofKind('PodDisruptionBudget').spec.selector.matchLabels).to.deep.equal(labels)
    expect(ofKind('NetworkPolicy').spec.podSelector.matchLabels).to.deep.equal(labels)
  })

  it('are scaled by a lag that the workers measure, and never to none', () => {
    const { spec } = parse(read('kubernetes/keda.yaml'))
    expect(spec.scaleTargetRef.name).to.equal(ofKind('Deployment').metadata.name)
    expect(ofKind('Deployment').spec).to.not.have.property('replicas')
    expect(spec.minReplicaCount).to.be.greaterThan(0)
    const [{ type, metadata }] = spec.triggers
    expect(type).to.equal('prometheus')
    const metrics = metadata.query.match(/millrace_\w+/g)
    expect(Object.values(METRICS).map(({ prometheus }) => prometheus)).to.include.members(metrics)
    expect(metadata.query).to.include(`application="${flags.app}"`)
  })
})

describe('the unit for systemd', () => {
  const text = read('systemd/click-counter.service')
  const settings = Object.fromEntries(
    Array.from(text.matchAll(/^(\w+)=(.*)$/gm), ([, name = '', value = '']) => [name, value])
  )

  it('drains before it is killed, on a signal that arrives', () => {
    expectConsumer(flagsOf((settings.ExecStart ?? '').split(' ')), Number(settings.TimeoutStopSec))
    expect(settings.ExecStart).to.match(/^\/\S*\/node node_modules\/millrace\/dist\/cli\/main\.js run /)
    expect(settings.KillSignal).to.equal('SIGTERM')
    expect(settings.KillMode).to.equal('mixed')
    expect(settings).to.include({ Restart: 'on-failure', RestartPreventExitStatus: '2' })
  })

  it('has a heap that fits into its memory', () => {
    expectHeapFits(heapMb(text), Number(/^(\d+)G$/.exec(settings.MemoryMax ?? '')?.[1]) * 1_024)
  })

  it('may do nothing that it does not need, but write the code that it runs', () => {
    expect(settings).to.include({ DynamicUser: 'yes', NoNewPrivileges: 'yes', ProtectSystem: 'strict' })
    expect(settings.CapabilityBoundingSet).to.equal('')
    expect(settings).to.not.have.property('MemoryDenyWriteExecute')
  })
})

describe('the configuration for Terraform', () => {
  it('makes the tables as the code expects them', () => {
    const main = read('terraform/main.tf')
    const block = (name: string): string =>
      new RegExp(`resource "aws_dynamodb_table" "${name}" {([\\s\\S]*?)\n}`).exec(main)?.[1] ?? ''
    const keyOf = (text: string, kind: string): string | undefined =>
      new RegExp(`^  ${kind}_key +=  *"(\\w+)"`, 'm').exec(text)?.[1]
    expect(keyOf(block('leases'), 'hash')).to.equal(LEASE_TABLE_KEY.hash)
    expect(keyOf(block('leases'), 'range')).to.equal(LEASE_TABLE_KEY.range)
    expect(keyOf(block('control'), 'hash')).to.equal(CONTROL_TABLE_KEY.hash)
    expect(keyOf(block('control'), 'range')).to.equal(CONTROL_TABLE_KEY.range)
  })

  it('uses policies that are there, and alarms on metrics that there are', () => {
    const [, listed = ''] = /for name in \[([^\]]*)\]/.exec(read('terraform/iam.tf')) ?? []
    const names = Array.from(listed.matchAll(/"([^"]+)"/g), ([, name]) => name)
    expect(names).to.include.members(['worker', 'operator-read-only', 'operator'])
    for (const name of names) expect(() => JSON.parse(read(`iam/${name}.json`)), name).to.not.throw()
    const metrics = Array.from(read('terraform/alarms.tf').matchAll(/metric += +"(\w+)"/g), ([, name]) => name)
    expect(metrics).to.have.length(4)
    expect(Object.keys(METRICS)).to.include.members(metrics)
  })
})
