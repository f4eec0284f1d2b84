// A daemon that starts children that end neither with their input nor for SIGTERM, tells of them, and waits to be killed.
import { SystemChildren } from '../../src/multilang/system-children.ts'

const door = new SystemChildren(0)
const script = new URL('scripted-child.mjs', import.meta.url).pathname
const children = [1, 2, 3].map(() => door.spawn([process.execPath, script, 'stubborn']))
const [first] = children
for (const child of children) await new Promise(resolve => child.stderr.once('data', resolve))
if (first !== undefined) {
  door.signal(first, 'SIGKILL')
  await new Promise(resolve => first.once('close', resolve))
  door.gone(first)
}
console.log(JSON.stringify(children.slice(1).map(({ pid }) => pid)))
