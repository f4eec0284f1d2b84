// A worker that reads by fan-out over real HTTP/2 meets fault after fault; then every record is accounted for. Not part of the
// tests, because it takes minutes. Prints one JSON line, and exits with 1 if anything was lost, repeated or left open.
// Run: npm run fan-out-faults -- [--faults 1000] [--seed 1] [--shards 32] [--rate 200] [--speed 1] [--fallback polling]
//   [--plain] [--quiet]. `rate`: records a second; `speed`: of the time of worker and service; `plain`: without TLS.
import { parseArgs } from 'node:util'
import { SILENT_SDK } from '../../examples/support/emulator-environment.ts'
import { runFaults } from './fan-out-faults-run.ts'

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    shards: { type: 'string', default: '32' },
    rate: { type: 'string', default: '200' },
    speed: { type: 'string', default: '1' },
    fallback: { type: 'string', default: 'none' },
    plain: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false }
  }
})

function positive(name: 'faults' | 'seed' | 'shards' | 'rate' | 'speed'): number {
  const value = Number(values[name])
  if (value > 0 && Number.isFinite(value)) return value
  process.stderr.write(`--${name} is ${JSON.stringify(values[name])}, expected a positive number\n`)
  process.exit(2)
}

Object.assign(process.env, SILENT_SDK)
const faults = positive('faults')
const shards = positive('shards')
const figures = await runFaults({
  faults,
  shards,
  seed: positive('seed'),
  rate: positive('rate'),
  speed: positive('speed'),
  // Each shard meets a fault every ten seconds at the least.
  limitMs: 60_000 + (faults / shards) * 20_000,
  fallback: values.fallback === 'polling' ? 'polling' : 'none',
  tls: !values.plain,
  weighs: true,
  ...(!values.quiet && { say: (what: string) => void process.stderr.write(`${what}\n`) })
})
process.stdout.write(`${JSON.stringify({ seed: Number(values.seed), speed: Number(values.speed), ...figures })}\n`)
process.exit(figures.problems.length === 0 ? 0 : 1)
