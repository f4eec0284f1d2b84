// A program that is bundled by esbuild runs a worker as one that is not: with the threads of the heartbeat and of processors
// where their code was bundled too, and with a clear word where it was not.
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { type BuildOptions, build } from 'esbuild'
import { emulatorEnvironment } from '../../examples/support/emulator-environment.ts'
import { sharedDynalite, sharedKinesalite } from '../support/emulators.ts'
import { emptyFolder } from '../support/packed.ts'
import { ROOT } from '../support/source-files.ts'
import { createStream, putRecords, uniqueName } from '../support/streams.ts'

const run = promisify(execFile)

/** Counts ten records, prints how that went, and stops. */
const PROGRAM = `import { join, dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { silentLogger, Worker } from 'millrace'

const [, main, streamName, mode, applicationName] = process.argv
const problems = []
let records = 0
const done = {}
done.promise = new Promise(resolve => { done.resolve = resolve })
const code = mode === 'threads'
  ? { threads: { count: 1, module: pathToFileURL(join(dirname(main), 'handler' + main.slice(main.lastIndexOf('.')))) } }
  : { handler: () => {} }
try {
  const worker = new Worker({
    streamName, applicationName, startAt: 'TRIM_HORIZON', logger: silentLogger, ...code
  })
  worker.on('error', ({ error }) => problems.push(error.message))
  worker.on('batch:processed', event => {
    records += event.records
    if (records >= 10) done.resolve()
  })
  worker.start().catch(() => {})
  worker.finished.catch(error => { problems.push(String(error)); done.resolve() })
  end(done.promise.then(() => worker.stop()))
} catch (error) {
  problems.push(error.message)
  end(Promise.resolve())
}
function end(promise) {
  promise.finally(() => console.log(JSON.stringify({ records, problems })))
}
`

const HANDLER = `import { isMainThread } from 'node:worker_threads'
export const handler = () => { if (isMainThread) throw new Error('not in a thread') }
`

/** What docs/deploying.md says to tell esbuild. */
const FORMATS: Readonly<Record<'esm' | 'cjs', BuildOptions>> = {
  esm: {
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" }
  },
  cjs: { format: 'cjs', outExtension: { '.js': '.cjs' }, logOverride: { 'empty-import-meta': 'silent' } }
}

const THREADS = [
  { in: 'millrace/heartbeat-thread', out: 'heartbeat-thread' },
  { in: 'millrace/processor-thread', out: 'processor-thread' }
]

describe('a bundle', function () {
  this.timeout(120_000)
  let folder: string
  let streamName: string
  let environment: NodeJS.ProcessEnv

  before(async () => {
    folder = emptyFolder('millrace-bundle-')
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(ROOT, join(folder, 'node_modules/millrace'), 'dir')
    writeFileSync(join(folder, 'main.js'), PROGRAM)
    writeFileSync(join(folder, 'handler.js'), HANDLER)
    const [kinesis, dynamodb] = await Promise.all([sharedKinesalite(), sharedDynalite()])
    environment = emulatorEnvironment({ kinesis: kinesis.endpoint, dynamodb: dynamodb.endpoint })
    const client = new KinesisClient(kinesis.clientConfig())
    streamName = await createStream(client)
    await putRecords(
      client,
      streamName,
      Array.from({ length: 10 }, (_, index) => ({ partitionKey: 'k', data: String(index) }))
    )
    client.destroy()
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  async function bundled(name: string, format: 'esm' | 'cjs', threads: typeof THREADS): Promise<string> {
    const out = join(folder, name)
    const own = ['main', 'handler'].map(each => ({ in: `./${each}.js`, out: each }))
    await build({
      ...FORMATS[format],
      absWorkingDir: folder,
      entryPoints: [...own, ...threads],
      outdir: out,
      bundle: true,
      minify: true,
      platform: 'node',
      target: 'node20',
      logLevel: 'error'
    })
    return join(out, `main${format === 'esm' ? '.mjs' : '.cjs'}`)
  }

  async function outcome(main: string, mode: string): Promise<{ records: number; problems: string[] }> {
    const { stdout } = await run(process.execPath, [main, streamName, mode, uniqueName()], {
      env: environment,
      timeout: 60_000
    })
    return JSON.parse(stdout)
  }

  for (const format of ['esm', 'cjs'] as const) {
    it(`of format ${format} runs a worker, with its threads if their code is beside it`, async () => {
      const main = await bundled(`${format}-whole`, format, THREADS)
      expect(await outcome(main, 'handler')).to.deep.equal({ records: 10, problems: [] })
      expect(await outcome(main, 'threads')).to.deep.equal({ records: 10, problems: [] })
    })

    it(`of format ${format} without the code of threads beats in the main thread, and refuses threads`, async () => {
      const main = await bundled(`${format}-bare`, format, [])
      const alone = await outcome(main, 'handler')
      expect(alone.records).to.equal(10)
      expect(alone.problems).to.have.length(1)
      expect(alone.problems[0]).to.match(/^The heartbeat has no thread of its own: heartbeat-thread\.js is not in /)
      expect(alone.problems[0]).to.include('entry point millrace/heartbeat-thread')
      const refused = await outcome(main, 'threads')
      expect(refused.records).to.equal(0)
      expect(refused.problems.join()).to.include('threads: cannot be had here: processor-thread.js is not in ')
    })
  }
})
