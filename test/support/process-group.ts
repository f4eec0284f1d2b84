// Whether processes still run: one, or anything of a group.
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Whether there is a process with this id, be it that it has ended and was not collected yet. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/**
 * Whether a process of the group runs. One that has ended and waits for the first process of the machine to collect it does
 * not: that can take seconds, and nobody else can do anything about it. Where there is no /proc to tell, it counts.
 */
export function isGroupRunning(groupId: number): boolean {
  try {
    process.kill(-groupId, 0)
  } catch {
    return false
  }
  if (!existsSync('/proc/self/stat')) return true
  return readdirSync('/proc').some(pid => /^\d+$/.test(pid) && isRunningIn(groupId, pid))
}

/** From `/proc/<pid>/stat`: `pid (name) state parent group …`, of which the name can have anything in it. */
function isRunningIn(groupId: number, pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state = '', , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(group) === groupId && !['Z', 'X'].includes(state)
  } catch {
    // It has ended since the listing.
    return false
  }
}
