// What happens in a run, chapter by chapter: Java alone, a rolling replacement by ours and back by Java, and then both kinds
// side by side, killed at random while shards are split and merged.
import type { JavaProgram } from './fleet.ts'
import type { Kind } from './ledgers.ts'
import { nowMs, type Stage } from './stage.ts'

/** Until a new worker has leases and reads. KCL 3.x has no leader for two minutes after its leader was killed. */
const READS_WITHIN_MS = 300_000
/** Until the shards of a worker that is gone are read by another. */
const TAKEN_OVER_WITHIN_MS = 300_000
const DELIVERED_WITHIN_MS = 180_000
/** At most this many processes of a kind. */
const OF_A_KIND = 2

/** What a chapter needs beside the stage. */
export interface Cast {
  readonly java: JavaProgram
  /** How long the last chapter goes on. Milliseconds. */
  readonly mixedMs: number
}

/** Plays all of it. Everything that went wrong is written down in the stage and the fleet. */
export async function play(stage: Stage, cast: Cast): Promise<void> {
  await javaAlone(stage, cast)
  await replaceAll(stage, cast, 'java', 'ours')
  // Both kinds among themselves, for comparison.
  await killAndReplace(stage, cast, 'ours')
  await reshardAndRead(stage)
  await replaceAll(stage, cast, 'ours', 'java')
  await reshardAndRead(stage)
  await sideBySide(stage, cast)
  await theEnd(stage)
}

async function javaAlone(stage: Stage, cast: Cast): Promise<void> {
  stage.say('— Java alone')
  stage.fleet.startJava(cast.java)
  stage.startProducing()
  await stage.untilAllRead(READS_WITHIN_MS, 'java')
  await stage.untilReads(stage.fleet.startJava(cast.java), READS_WITHIN_MS)
  await killAndReplace(stage, cast, 'java')
}

/** One worker after another: a new one comes, and once it reads, an old one is stopped. */
async function replaceAll(stage: Stage, cast: Cast, from: Kind, to: Kind): Promise<void> {
  stage.say(`— rolling replacement: ${from} → ${to}`)
  for (const old of stage.fleet.able(from)) {
    await stage.untilReads(start(stage, cast, to), READS_WITHIN_MS)
    stage.say(`        ${stage.leasesInWords()}`)
    await stage.fleet.stop(old)
    await stage.untilAllRead(TAKEN_OVER_WITHIN_MS)
  }
}

async function reshardAndRead(stage: Stage): Promise<void> {
  await stage.reshard()
  await stage.untilAllRead(TAKEN_OVER_WITHIN_MS)
}

/** Kills one at a time, of each kind in turn, and starts another one of that kind. */
async function sideBySide(stage: Stage, cast: Cast): Promise<void> {
  const untilMs = nowMs() + cast.mixedMs
  stage.say('— side by side, with kills')
  // One of each first, so that what either leaves behind can only go to the other kind.
  for (const extra of stage.fleet.able('java').slice(1)) await stage.fleet.stop(extra)
  await stage.untilReads(stage.fleet.startOurs(), READS_WITHIN_MS)
  await killAndReplace(stage, cast, 'java')
  await killAndReplace(stage, cast, 'ours')
  for (const kind of ['java', 'ours'] as const) {
    while (stage.fleet.able(kind).length < OF_A_KIND) await stage.untilReads(start(stage, cast, kind), READS_WITHIN_MS)
  }
  for (let turn = 0; turn === 0 || nowMs() < untilMs; turn++) {
    await stage.reshard()
    await killAndReplace(stage, cast, stage.random.next() < 0.5 ? 'java' : 'ours')
  }
}

async function killAndReplace(stage: Stage, cast: Cast, kind: Kind): Promise<void> {
  const victims = stage.fleet.able(kind)
  const victim = victims[Math.floor(stage.random.next() * victims.length)]
  if (victim === undefined) return
  stage.say(`        ${stage.leasesInWords()}`)
  stage.fleet.kill(victim)
  await stage.untilAllRead(TAKEN_OVER_WITHIN_MS)
  await stage.untilReads(start(stage, cast, kind), READS_WITHIN_MS)
}

async function theEnd(stage: Stage): Promise<void> {
  await stage.producer.stop()
  stage.say(`— the end: ${stage.producer.produced} records to account for`)
  await stage.untilDelivered(DELIVERED_WITHIN_MS)
  await stage.fleet.stopAll()
  stage.fleet.ledgers.read()
}

function start({ fleet }: Stage, { java }: Cast, kind: Kind): string {
  return kind === 'java' ? fleet.startJava(java) : fleet.startOurs()
}
