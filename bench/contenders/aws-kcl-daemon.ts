// The daemon of aws-kcl, as its bootstrap starts it, and what its processes take: the JVM and one Node.js per shard.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { emulatorEnvironment } from '../../examples/support/emulator-environment.ts'
import { pinned } from '../child-process.ts'
import type { Installation } from './aws-kcl-install.ts'
import { CREDENTIALS, REGION } from './client-options.ts'

/** What a daemon is started with. */
export interface DaemonOptions {
  readonly installation: Installation
  readonly streamName: string
  /** Also the name of its lease table. */
  readonly applicationName: string
  /** Endpoint of Kinesis, which must speak HTTP/2 without TLS. */
  readonly kinesis: string
  readonly dynamodb: string
  /** Port on which the record processors say what they have done. */
  readonly port: number
}

/** What a process has taken. */
export interface ProcessUse {
  /** Milliseconds of CPU time, those of children that have ended left out. */
  readonly cpuMs: number
  /** Bytes of memory that it has now. */
  readonly residentBytes: number
}

const PROCESSOR = fileURLToPath(new URL('aws-kcl-processor.mjs', import.meta.url))
const MAIN_CLASS = 'software.amazon.kinesis.multilang.MultiLangDaemon'
const KEPT_LOG = 4_000
/** The unit of CPU time in /proc. Linux has told programs 100 per second for as long as anybody can remember. */
const TICK_MS = 10
const PAGE_BYTES = 4_096
/** Only what goes wrong: with its default of INFO the daemon writes several lines for each batch. */
const LOG_CONFIGURATION = `<configuration>
  <appender name="log" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%level %logger{0}: %msg%n%ex</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="log"/></root>
</configuration>
`

/** A daemon that runs. */
export class Daemon {
  readonly #child: ChildProcess
  readonly #folder = mkdtempSync(join(tmpdir(), 'bench-aws-kcl-'))
  #log = ''

  constructor(options: DaemonOptions) {
    const { installation, port, kinesis, dynamodb } = options
    const properties = this.#write('kcl.properties', propertiesOf(options))
    const logging = this.#write('logback.xml', LOG_CONFIGURATION)
    const classPath = join(installation.jarFolder, '*')
    const parameters = ['-cp', classPath, MAIN_CLASS, '--properties-file', properties, '--log-configuration', logging]
    this.#child = spawn(...pinned('measured', 'java', parameters), {
      env: {
        ...emulatorEnvironment({ kinesis, dynamodb }),
        AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
        AWS_EC2_METADATA_DISABLED: 'true',
        BENCH_KCL_PACKAGE: installation.packageFolder,
        BENCH_KCL_PORT: String(port)
      },
      stdio: ['ignore', 'ignore', 'pipe']
    })
    this.#child.on('error', error => this.#keep(error.message))
    this.#child.stderr?.setEncoding('utf8').on('data', text => this.#keep(text))
  }

  /** Process id of the JVM. */
  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** Whether it has ended by itself. */
  get hasEnded(): boolean {
    return this.pid < 0 || this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** The end of what it has logged. */
  get log(): string {
    return this.#log.trim()
  }

  /** Ends it at once, and with it the record processors, whose input it was. */
  async end(): Promise<void> {
    if (!this.hasEnded) {
      const gone = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await gone
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #keep(text: string): void {
    this.#log = (this.#log + text).slice(-KEPT_LOG)
  }

  #write(name: string, text: string): string {
    const path = join(this.#folder, name)
    writeFileSync(path, text)
    return path
  }
}

/**
 * As fast as it can be set: no pause between reads (0 would mean the default, 1.5 s), the most records, no metrics. All
 * shards of the source are served the same aggregates, of which the daemon would drop those with a hash key of another
 * shard; where it does not sync shards it has their hash keys computed and compared as ever, but drops none.
 */
function propertiesOf({ streamName, applicationName, kinesis, dynamodb }: DaemonOptions): string {
  const properties = {
    executableName: `${process.execPath} ${PROCESSOR}`,
    processingLanguage: 'nodejs',
    streamName,
    applicationName,
    regionName: REGION,
    kinesisEndpoint: kinesis,
    dynamoDBEndpoint: dynamodb,
    AwsCredentialsProvider: 'DefaultCredentialsProvider',
    initialPositionInStream: 'TRIM_HORIZON',
    metricsLevel: 'NONE',
    retrievalMode: 'POLLING',
    skipShardSyncAtWorkerInitializationIfLeasesExist: true,
    idleTimeBetweenReadsInMillis: 1,
    maxRecords: 10_000
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('')
}

/** What a process has taken, as Linux tells it. Zeros once the process is gone, and where there is no /proc. */
export function processUse(pid: number): ProcessUse {
  try {
    // The name of the program comes second, in parentheses, and may have anything in it.
    const [, after = ''] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    const fields = after.split(' ').map(Number)
    const [user = 0, system = 0, pages = 0] = [fields[11], fields[12], fields[21]]
    return { cpuMs: (user + system) * TICK_MS, residentBytes: pages * PAGE_BYTES }
  } catch {
    return { cpuMs: 0, residentBytes: 0 }
  }
}
