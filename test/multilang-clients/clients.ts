// Runs the samples that are shipped with KCL's clients, unmodified and with their own properties, under `millrace multilang`
// against emulators: every record has to arrive, through splits and merges, and checkpoints have to be stored inside aggregates.
// Hands shards from the daemon to a worker in TypeScript and back. Where there is a JVM, measures the daemon of Java beside ours.
//
// npm run multilang:clients -- [--folder FOLDER] [--python PROGRAM] [--node-samples REPOSITORY] [--only node,python,handover,java]
//
// Needs the npm registry, PyPI, Python 3 with pip, and git with the repository of aws-kcl, or a clone of it on this machine
// (--node-samples). For the comparison: a JDK of version 17 or later and Maven; without them it is left out.
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { compare } from './comparison.ts'
import { handOver } from './hand-over.ts'
import { installJava, installNode, installPython, type Sample } from './install.ts'
import { nodeSeen, pythonSeen, runSample } from './sample-run.ts'
import { Stage } from './stage.ts'

const REPOSITORY = 'https://github.com/awslabs/amazon-kinesis-client-nodejs'

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' },
      python: { type: 'string', default: 'python3' },
      'node-samples': { type: 'string', default: REPOSITORY },
      only: { type: 'string', default: 'node,python,handover,java' }
    }
  })
  const folder = resolve(values.folder ?? mkdtempSync(join(tmpdir(), 'millrace-clients-')))
  mkdirSync(folder, { recursive: true })
  const parts = values.only.split(',')
  say(`everything is in ${folder}`)
  const node = await installNode(folder, values['node-samples'])
  say(`aws-kcl ${node.version}`)
  const lines: string[] = []
  let isGood = true
  const stage = await Stage.open(folder, say)
  try {
    const judge = (name: string, { isGood: good, report }: { isGood: boolean; report: readonly string[] }): void => {
      isGood &&= good
      lines.push(`${good ? 'ok  ' : 'BAD '} ${name}`, ...report.map(line => `       ${line}`))
    }
    if (parts.includes('node')) {
      judge(titleOf(node), await runSample(stage, node, STREAMS.node, run => nodeSeen(run)))
    }
    if (parts.includes('python')) {
      const python = await installPython(folder, values.python)
      say(`amazon_kclpy ${python.version}`)
      judge(titleOf(python), await runSample(stage, python, STREAMS.python, run => pythonSeen(run)))
    }
    if (parts.includes('handover')) judge('multilang, native TypeScript, and back', await handOver(stage, node))
    if (parts.includes('java')) judge('start-up and memory', await compare(stage, node, () => installJava(folder)))
  } finally {
    await stage.close()
  }
  console.log(`\n${lines.join('\n')}\n`)
  return isGood
}

/** What the samples say in their properties. */
const STREAMS = {
  node: { stream: 'kclnodejssample', application: 'kclnodejssample' },
  // The sample names a region that there is not, which the emulator minds.
  python: {
    stream: 'kclpysample',
    application: 'PythonKCLSample',
    added: ['streamArn = arn:aws:kinesis:us-east-1:000000000000:stream/kclpysample']
  }
}

function titleOf({ name, version, properties }: Sample): string {
  const own = readFileSync(properties, 'utf8')
    .split('\n')
    .filter(line => /^\w/.test(line)).length
  return `${name} ${version}: the sample with its own sample.properties (${own} keys)`
}

function say(what: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${what}`)
}

process.exitCode = (await main()) ? 0 : 1
