// The public API: re-exports, nothing else. Nobody in src imports this file.
export * from './model/errors.ts'
