// What may be reached from where: packages, time, chance, the process, the console, and the listeners of events.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  is,
  type Node,
  nameOf,
  offenders,
  ROOT,
  type SourceFile,
  sourceFile,
  sourceFiles
} from '../support/source-files.ts'

/** Each package that src imports, types included: which files may, and what, if it is not all. */
const PACKAGES: Readonly<Record<string, { readonly files: RegExp; readonly names?: readonly string[] }>> = {
  '@aws-sdk/client-kinesis': { files: /^kinesis\/sdk-/ },
  '@aws-sdk/client-dynamodb': { files: /^(dynamo|leases)\/dynamo-/ },
  '@aws-sdk/lib-dynamodb': { files: /^(dynamo|leases)\/dynamo-/ },
  '@aws-sdk/util-dynamodb': { files: /^dynamo\/dynamo-/ },
  '@aws-sdk/client-cloudwatch': { files: /^metrics\/cloudwatch-(metrics\.ts|package\.cts)$/ },
  '@aws-sdk/client-dynamodb-streams': {
    files: /^dynamodb-streams\/(sdk-streams-calls\.ts|dynamodb-streams-package\.cts)$/
  },
  '@aws-sdk/client-glue': {
    files: /^glue-schema-registry\/(glue-package\.cts|glue-schema-registry\.ts|schema-versions\.ts)$/
  },
  '@aws-sdk/client-s3': { files: /^dead-letters\/s3-/ },
  '@aws-sdk/client-sqs': { files: /^dead-letters\/sqs-/ },
  '@aws-sdk/credential-providers': { files: /^multilang\/credential-package\.cts$/ },
  '@opentelemetry/api': { files: /^metrics\/otel-(carrier\.ts|metrics\.ts|tracing\.ts|package\.cts)$/ },
  '@smithy/core/event-streams': { files: /^kinesis\/event-stream-frames\.ts$/ },
  '@smithy/core/retry': { files: /^dead-letters\/service-call\.ts$/ },
  '@smithy/node-http-handler': { files: /^(kinesis\/sdk|dynamo\/dynamo|dynamodb-streams\/sdk)-/ },
  avsc: { files: /^glue-schema-registry\/avsc-package\.cts$/ },
  commander: {
    files: /^cli\/(command|completion-command|fleet-flags|program)\.ts$/,
    names: ['Command', 'CommanderError']
  },
  'cli-table3': { files: /^cli\/tables\.ts$/, names: ['default'] },
  'log-update': { files: /^cli\/live-area\.ts$/ },
  picocolors: { files: /^cli\/terminal\.ts$/, names: ['createColors'] },
  eventemitter3: { files: /^worker\/worker-emitter\.ts$/ },
  'prom-client': { files: /^metrics\/prometheus-(metrics\.ts|package\.cts)$/ },
  protobufjs: { files: /^glue-schema-registry\/(protobuf-payloads\.ts|protobufjs-package\.cts)$/ },
  'node:async_hooks': { files: /^processor\/thread-checkpoints\.ts$/, names: ['AsyncResource'] },
  'node:buffer': { files: /^kpl\//, names: ['isAscii', 'isUtf8'] },
  'node:child_process': { files: /^multilang\/(child-process|system-children)\.ts$/ },
  'node:crypto': {
    files: /^((kpl|testing|dead-letters|serving)\/|dashboard\/token\.ts$)/,
    names: ['createHash', 'Hash', 'hash', 'randomBytes', 'timingSafeEqual']
  },
  'node:events': { files: /^runtime\/abort\.ts$/, names: ['setMaxListeners'] },
  'node:fs': {
    files:
      /^(runtime\/thread-file|dead-letters\/file-letter-source|cli\/(checkpoint-commands|multilang-command|own-process|user-module))\.ts$/
  },
  'node:module': { files: /^cli\/(emulators|user-module)\.ts$/, names: ['createRequire'] },
  'node:fs/promises': {
    files: /^(dead-letters\/file-dead-letters|dashboard\/page-files|cli\/(checkpoint|multilang)-commands?)\.ts$/
  },
  'node:path': { files: /^(dead-letters\/file-|cli\/(own-process|user-module)\.ts$)/ },
  'node:url': {
    files: /^(cli\/(multilang-command|user-module)|runtime\/thread-file)\.ts$/,
    names: ['fileURLToPath', 'pathToFileURL']
  },
  'node:worker_threads': {
    files:
      /^(fleet\/(beating|heartbeat)-thread|processor\/(pool-thread|processor-thread|thread-(host|messages|signals)))\.ts$/
  },
  'node:v8': { files: /^worker\/retrieval-options\.ts$/, names: ['getHeapStatistics'] },
  'node:http': {
    files:
      /^(kinesis\/(sdk-client|fan-out-http1|used-pieces)|serving\/(health-endpoint|listening)|dashboard\/(dashboard|request-body)|cli\/emulators)\.ts$/
  },
  'node:net': { files: /^kinesis\/(fan-out-http1|used-pieces)\.ts$/ },
  'node:tls': { files: /^kinesis\/used-pieces\.ts$/, names: ['TLSSocket'] },
  'node:stream': { files: /^(kinesis\/fan-out-body|cli\/cli-ports)\.ts$/ },
  'node:zlib': { files: /^(kinesis\/event-stream-frames|glue-schema-registry\/inflate)\.ts$/ },
  'node:http2': { files: /^kinesis\/http2-session\.ts$/ },
  'node:https': { files: /^kinesis\/sdk-client\.ts$/ },
  'node:os': {
    files: /^(worker\/(thread-)?options|operate\/fleet-options)\.ts$/,
    names: ['availableParallelism', 'hostname', 'userInfo']
  }
}

/** The globals that lead to time, chance, the process or anywhere: which uses there may be, and in which files. */
const GLOBALS: Readonly<Record<string, readonly (readonly [use: RegExp, files?: RegExp])[]>> = {
  Date: [[/^new Date\(…\)$/], [/^Date\.parse$/], [/^instanceof Date$/], [/^Date\.now$/, /^runtime\/clock\.ts$/]],
  performance: [
    [/^performance\.now$/, /^runtime\/clock\.ts$/],
    // How long a browser takes to draw, for whoever looks into it with its tools.
    [/^performance\.(mark|measure)$/, /^dashboard-page\/app\.ts$/]
  ],
  setTimeout: [[/^setTimeout\($/, /^(runtime\/clock|dashboard-page\/connection)\.ts$/]],
  setInterval: [],
  setImmediate: [[/^setImmediate\($/, /^(runtime\/clock|testing\/virtual-clock)\.ts$/]],
  AbortSignal: [[/^AbortSignal\.any$/]],
  Atomics: [[/^Atomics\.(load|store)$/, /^(fleet\/heartbeat-memory|processor\/thread-memory)\.ts$/]],
  Math: [[/^Math\.(?!random$)\w+$/], [/^Math\.random$/, /^runtime\/random\.ts$/]],
  crypto: [],
  process: [
    [/^process\.hrtime$/, /^runtime\/clock\.ts$/],
    [/^process\.pid$/, /^worker\/options\.ts$/],
    [/^process\.(kill|platform)$/, /^multilang\/system-children\.ts$/],
    // The program opens the doors of its process in one file.
    [/^process(\.\w+)?$/, /^cli\/own-process\.ts$/],
    [/^process\.features$/, /^cli\/user-module\.ts$/]
  ],
  console: [[/^console\.\w+$/, /^runtime\/logger\.ts$/]],
  globalThis: [],
  global: [],
  eval: [],
  Function: [[/^Function\.prototype$/]],
  EventTarget: []
}

/** The user's code, whose name is known only once it is asked for. */
function isUserModule({ path }: SourceFile, target: string): boolean {
  return ['processor/processor-thread.ts', 'cli/user-module.ts'].includes(path) && target === 'href'
}

/** The packages that a file needs when it is loaded, with everything that it loads in turn. */
function packagesReachedFrom(start: string): ReadonlySet<string> {
  const [seen, packages] = [new Set<string>(), new Set<string>()]
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    const loaded = sourceFile(path).imports.filter(({ isType }) => !isType)
    for (const { isPackage, target } of loaded) {
      if (isPackage) packages.add(packageOf(target))
      else visit(target.replace(/^src\//, ''))
    }
  }
  visit(start)
  return packages
}

/** Packages that are asked for by name while the program runs, because most do without. */
const ASKED_FOR: Readonly<Record<string, string>> = { dynalite: 'cli/emulators.ts', kinesalite: 'cli/emulators.ts' }

/** The package of a subpath: `@smithy/core` of `@smithy/core/event-streams`. */
function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}

describe('the doors of the architecture', () => {
  it('imports each package only where it belongs, and by name', () => {
    const strangers = offenders(file =>
      file.imports
        .filter(({ isPackage, target }) => isPackage && !isUserModule(file, target))
        .flatMap(({ target, names, node }) => {
          const rule = PACKAGES[target]
          if (rule?.files.test(file.path) !== true) return [[node, `imports ${target}`] as const]
          // What loads a whole package for others does nothing else.
          if (file.path.endsWith('-package.cts')) return []
          const unknown = names.filter(name => rule.names?.includes(name) === false || name === '*')
          return unknown.map(name => [node, `imports ${name} from ${target}`] as const)
        })
    )
    expect(strangers).to.deep.equal([])
  })

  it('depends on the packages that it imports, and on no other', () => {
    const imported = new Set(
      sourceFiles()
        .flatMap(file => file.imports.filter(({ isPackage, target }) => isPackage && !isUserModule(file, target)))
        .map(({ target }) => target)
    )
    expect([...imported].sort()).to.deep.equal(Object.keys(PACKAGES).sort())
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const installed = [...imported].filter(name => !name.startsWith('node:')).map(packageOf)
    const depended = [...installed, ...Object.keys(ASKED_FOR)]
    expect(Object.keys({ ...dependencies, ...peerDependencies }).sort()).to.deep.equal([...new Set(depended)].sort())
    for (const [name, path] of Object.entries(ASKED_FOR)) {
      expect(sourceFile(path).text, name).to.include(`'${name}'`)
      expect(Object.keys(peerDependencies)).to.include(name)
    }
  })

  it('reaches optional packages from subpaths only: whoever imports the rest need not have them', () => {
    const { peerDependenciesMeta, exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const optional = Object.keys(peerDependenciesMeta)
    const needed = (start: string): string[] => [...packagesReachedFrom(start)].filter(name => optional.includes(name))
    const bySubpath = Object.entries<{ default?: string }>(exports).flatMap(([subpath, { default: file }]) =>
      file === undefined ? [] : needed(file.replace('./dist/', '').replace('.js', '.ts')).map(name => [subpath, name])
    )
    expect(bySubpath).to.deep.equal([
      ['./dead-letters/sqs', '@aws-sdk/client-sqs'],
      ['./dead-letters/s3', '@aws-sdk/client-s3'],
      ['./dynamodb-streams', '@aws-sdk/client-dynamodb-streams'],
      ['./glue-schema-registry', 'avsc'],
      ['./glue-schema-registry', 'protobufjs'],
      ['./glue-schema-registry', '@aws-sdk/client-glue'],
      ['./metrics/cloudwatch', '@aws-sdk/client-cloudwatch'],
      ['./metrics/otel', '@opentelemetry/api'],
      ['./metrics/prometheus', 'prom-client'],
      ['./tracing/otel', '@opentelemetry/api']
    ])
  })

  it('knows time, chance, the process and the console through one file each', () => {
    const uses = offenders(file =>
      globalsUsed(file)
        .filter(
          ({ name, use }) =>
            !GLOBALS[name]?.some(([allowed, files]) => allowed.test(use) && (files?.test(file.path) ?? true))
        )
        .map(({ use, node }) => [node, use])
    )
    expect(uses).to.deep.equal([])
  })

  it('emits events in one place', () => {
    const emitting = offenders(file =>
      file.nodes
        .filter(node => is.isPropertyAccessExpression(node) && ['emit', 'dispatchEvent'].includes(node.name.text))
        .map(node => [node, node.getText()] as const)
        .filter(
          ([, use]) =>
            !(['worker/worker-emitter.ts', 'worker/worker.ts'].includes(file.path) && use === 'this.#emitter.emit')
        )
    )
    expect(emitting).to.deep.equal([])
  })

  it('has one emitter, which the worker makes', () => {
    const made = sourceFiles().flatMap(({ path, nodes }) =>
      nodes
        .filter(is.isNewExpression)
        .map(node => `${path}: ${node.expression.getText()}`)
        .filter(made => /Emitter$/.test(made))
    )
    expect(made).to.deep.equal(['worker/worker-emitter.ts: EventEmitter', 'worker/worker.ts: WorkerEmitter'])
    const member = sourceFile('worker/worker.ts')
      .nodes.filter(is.isPropertyDeclaration)
      .find(node => nameOf(node) === '#emitter')
    expect(member?.type?.getText()).to.equal('WorkerEmitter')
  })
})

/** How a file uses the globals above, types aside: `Date.now`, `Date(`, `new Date()`, `new Date(…)`, or the bare name. */
function globalsUsed({ nodes }: SourceFile): { name: string; use: string; node: Node }[] {
  return nodes.filter(is.isIdentifier).flatMap(node => {
    const name = node.text
    if (!Object.hasOwn(GLOBALS, name)) return []
    const use = useOf(node, name)
    return use === undefined ? [] : [{ name, use, node }]
  })
}

function useOf(node: Node, name: string): string | undefined {
  const { parent } = node
  if (is.isTypeNode(parent) && !is.isExpressionWithTypeArguments(parent)) return undefined
  // A member of something else that has this name, as in `{ console: … }` or `options.process`.
  const isMember = (parent as { readonly name?: Node }).name === node && !is.isShorthandPropertyAssignment(parent)
  if (isMember) return undefined
  if (is.isPropertyAccessExpression(parent)) return `${name}.${parent.name.text}`
  if (is.isNewExpression(parent)) return `new ${name}(${parent.arguments?.length ? '…' : ''})`
  if (is.isCallExpression(parent) && parent.expression === node) return `${name}(`
  if (is.isBinaryExpression(parent) && parent.operatorToken.getText() === 'instanceof') return `instanceof ${name}`
  return name
}
