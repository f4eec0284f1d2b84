// Takes the tour of docs/getting-started.md with a real `npm install`, and says how long each step took. Needs a registry of npm and a
// POSIX shell. Run: npm run docs:tour
import { takeTour } from '../support/tour.ts'

const { steps, seconds } = await takeTour({
  page: 'docs/getting-started.md',
  from: 'registry',
  workers: ['second', 'third'],
  stepMs: 180_000,
  tell: console.log
})
console.log(`${steps} steps in ${seconds.toFixed(0)} s, without the reading`)
