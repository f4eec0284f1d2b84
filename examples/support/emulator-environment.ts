// The environment that makes the AWS SDK talk to emulators, and to nothing else.
import { devNull } from 'node:os'
import type { Endpoints } from './emulator-process.ts'

/** On Node.js 20 the SDK prints a warning, which would be the first thing that an example says. */
export const SILENT_SDK = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' }

/** The variables that lead the AWS SDK to the emulators, and keep it silent. */
export function emulatorVariables({ kinesis, dynamodb }: Endpoints): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_KINESIS: kinesis,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'emulator',
    AWS_SECRET_ACCESS_KEY: 'emulator',
    ...SILENT_SDK
  }
}

/** This process's environment for a child that talks to the emulators: whatever AWS_* it has leads to the real AWS. */
export function emulatorEnvironment(endpoints: Endpoints): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'))
  return {
    ...Object.fromEntries(others),
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    ...emulatorVariables(endpoints)
  }
}
