// JSON lines for us; users read conditions and Events. Nothing that is a credential by its name is printed.
import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger };

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

const secretFields = [
  'password',
  'token',
  'authorization',
  'clientSecret',
  'client-secret',
  'client_secret',
  'uri',
  'data',
  'stringData',
];

/** Writes to stdout unless told otherwise. Errors are logged by name, code and message only: never bodies or headers. */
export function createLog(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secretFields.flatMap((field) => [`["${field}"]`, `*["${field}"]`]), censor: '[hidden]' },
    serializers: { err: describeError, error: describeError },
  };
  return destination ? pino(options, destination) : pino(options);
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code =
    'code' in error && (typeof error.code === 'string' || typeof error.code === 'number') ? { code: error.code } : {};
  return { name: error.name, ...code, message: error.message };
}
