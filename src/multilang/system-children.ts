// The only door to other processes: starts children, each in a process group of its own, and sends signals to the whole group. A
// small shell watches over the groups, so that nothing of them is left behind if the daemon itself is killed.
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'

/** How children are started and ended. */
export interface ChildDoor {
  /**
   * Starts a program, with the environment and the working directory of the daemon, and without a shell. That it could not be
   * started is told by an `error` event.
   */
  spawn(command: readonly string[]): ChildProcessWithoutNullStreams
  /** Sends a signal to a child and to everything that it has started. Does nothing if there is nothing left of it. */
  signal(child: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void
  /** Nothing is left of a child. */
  gone(child: ChildProcess): void
}

/**
 * Reads which groups there are; once nobody is left who could say more, the daemon is gone: what there still is of them has read
 * the end of its input, gets the time of the first argument, in seconds, and is then ended.
 */
const WATCH = `trap '' HUP INT TERM
groups=' '
while read -r line; do
  case $line in
    +*) groups="$groups\${line#+} " ;;
    -*) for group in $groups; do
          if [ "$group" = "\${line#-}" ]; then groups="\${groups%% $group *} \${groups#* $group }"; fi
        done ;;
  esac
done
any=
for group in $groups; do any=1; done
[ -n "$any" ] || exit 0
sleep "$1"
for group in $groups; do kill -s TERM -- "-$group"; done
sleep 1
for group in $groups; do kill -s KILL -- "-$group"; done
`

/** Children of this process. */
export class SystemChildren implements ChildDoor {
  readonly #exitTimeoutMs: number
  readonly #hasGroups = process.platform !== 'win32'
  #watch: ChildProcess | undefined

  /** @param exitTimeoutMs how long children may take to end by themselves if the daemon is killed, in milliseconds */
  constructor(exitTimeoutMs: number) {
    this.#exitTimeoutMs = exitTimeoutMs
  }

  spawn([program = '', ...given]: readonly string[]): ChildProcessWithoutNullStreams {
    const child = spawn(program, given, { stdio: 'pipe', detached: this.#hasGroups, windowsHide: true })
    if (child.pid !== undefined) this.#tell(`+${child.pid}`)
    return child
  }

  signal(child: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
    if (child.pid === undefined) return
    if (!this.#hasGroups) {
      child.kill(name)
      return
    }
    try {
      process.kill(-child.pid, name)
    } catch {
      // Nothing is left of the group.
    }
  }

  gone({ pid }: ChildProcess): void {
    if (pid !== undefined) this.#tell(`-${pid}`)
  }

  #tell(line: string): void {
    if (!this.#hasGroups) return
    this.#watch ??= this.#startWatch()
    this.#watch.stdin?.write(`${line}\n`)
  }

  #startWatch(): ChildProcess {
    const seconds = String(Math.ceil(this.#exitTimeoutMs / 1_000))
    const watch = spawn('/bin/sh', ['-c', WATCH, 'millrace-watch', seconds], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true
    })
    // Where there is no shell, there is nothing but the daemon, mostly: what is killed there is the container.
    watch.on('error', () => {})
    watch.stdin?.on('error', () => {})
    watch.unref()
    const { stdin } = watch
    if (stdin !== null && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
    return watch
  }
}
