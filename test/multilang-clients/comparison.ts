// The daemon of Java beside ours: the same sample, the same properties, the same emulators, in one run.
import { execFile } from 'node:child_process'
import { request } from 'node:http'
import { createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { pollUntil } from '../support/poll.ts'
import { Daemon, type DaemonStart } from './daemons.ts'
import { RELEASES, type Sample } from './install.ts'
import { nodeSeen, OVERLAY, type Verdict } from './sample-run.ts'
import type { Stage } from './stage.ts'
import { Traffic } from './traffic.ts'

const RECORDS = 200
const WITHIN_MS = 120_000
const SETTLED_MS = 15_000

interface Measured {
  readonly name: string
  readonly firstMs: number
  readonly allMs: number
  readonly memoryMb: number
  /** Until the first record after a stop in order, and another start. */
  readonly againMs: number
}

export async function compare(stage: Stage, sample: Sample, classPath: () => Promise<string>): Promise<Verdict> {
  let java: string
  try {
    const { stderr } = await promisify(execFile)('java', ['-version'])
    java = /version "([^"]+)"/.exec(stderr)?.[1] ?? 'unknown'
  } catch {
    return { isGood: true, report: ['left out: there is no java'] }
  }
  const path = await classPath()
  const front = await h2Front(stage.kinesis.endpoint)
  try {
    const ours = await measure(stage, sample, 'ours', `millrace multilang, Node ${process.version}`)
    const theirs = await measure(stage, sample, 'java', `MultiLangDaemon ${RELEASES.java}, Java ${java}`, {
      java: {
        classPath: path,
        options: ['-Daws.cborEnabled=false']
      },
      overlay: [`kinesisEndpoint = ${front.endpoint}`, `dynamoDBEndpoint = ${stage.dynamo.endpoint}`]
    })
    const line = ({ name, firstMs, allMs, memoryMb, againMs }: Measured): string =>
      `${name}: first record after ${seconds(firstMs)} with no table yet, after ${seconds(againMs)} when it is started again; ` +
      `${RECORDS} records after ${seconds(allMs)}; ${memoryMb} MB without children`
    return { isGood: true, report: [line(ours), line(theirs)] }
  } finally {
    front.server.close()
  }
}

async function measure(
  stage: Stage,
  sample: Sample,
  which: string,
  name: string,
  extra: Pick<DaemonStart, 'java'> & { readonly overlay?: readonly string[] } = {}
): Promise<Measured> {
  const stream = `compare-${which}`
  await stage.createStream(stream, 2)
  const traffic = new Traffic(stage.client, stream)
  await traffic.put(RECORDS)
  const folder = stage.newFolder(stream)
  stage.say(`starting ${name}`)
  const own = [`streamName = ${stream}`, `applicationName = ${stream}`]
  const { overlay = [], ...rest } = extra
  const start = (): Daemon =>
    new Daemon({ sample, overlay: [...OVERLAY, ...own, ...overlay], env: stage.env, folder, ...rest })
  const seen = (): number => nodeSeen({ folder, daemons: [] }).size
  const since = async (daemon: Daemon, count: number): Promise<number> => {
    await pollUntil(`${name} to see ${count} records`, () => daemon.isOver || seen() >= count, WITHIN_MS).catch(
      () => {}
    )
    if (seen() < count) throw new Error(`${name} has seen ${seen()} records: ${daemon.output.slice(-4_000)}`)
    return performance.now() - daemon.startedMs
  }
  let daemon = start()
  try {
    const firstMs = await since(daemon, 1)
    const allMs = await since(daemon, RECORDS)
    await new Promise(resolve => setTimeout(resolve, SETTLED_MS))
    const memoryMb = daemon.memoryMb()
    await daemon.stop()
    await traffic.put(10)
    daemon = start()
    const againMs = await since(daemon, RECORDS + 1)
    return { name, firstMs, allMs, memoryMb, againMs }
  } finally {
    await daemon.kill()
  }
}

/** The client of Java speaks HTTP/2 to Kinesis, and without TLS at once; the emulator does not. */
async function h2Front(endpoint: string): Promise<{ server: Http2Server; endpoint: string }> {
  const server = createServer((incoming, answer) => {
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([key]) => !key.startsWith(':')))
    const host = String(incoming.headers[':authority'] ?? new URL(endpoint).host)
    const onward = request(endpoint, { method: incoming.method ?? 'POST', headers: { ...headers, host } }, response => {
      const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...kept } = response.headers
      answer.writeHead(response.statusCode ?? 500, kept)
      response.pipe(answer)
    })
    onward.on('error', () => answer.stream.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { server, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
