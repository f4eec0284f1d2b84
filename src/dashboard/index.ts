// The public API of `millrace/dashboard`: re-exports, nothing else. Nobody in src imports this file.
export { type Dashboard, serveDashboard } from './dashboard.ts'
export type { DashboardFleet, DashboardOptions } from './dashboard-options.ts'
