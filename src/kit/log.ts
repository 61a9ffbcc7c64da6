// JSON lines for us; users read conditions and Events. Nothing that is a credential by its name is printed, at whatever
// depth, and errors are described by name, code and message: never by bodies, headers or causes.
import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger };

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** Compared without case, hyphens and underscores. */
const secretFields = new Set([
  'password',
  'token',
  'accesstoken',
  'idtoken',
  'refreshtoken',
  'authorization',
  'clientsecret',
  'connectionstring',
  'databaseurl',
  'uri',
  'jdbcuri',
  'data',
  'stringdata',
]);

const deepest = 6;

/** Writes to stdout unless told otherwise. */
export function createLog(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }), log: printable },
    serializers: { err: (described: unknown) => described },
  };
  return withPrintableBindings(destination ? pino(options, destination) : pino(options));
}

/** pino formats the fields of a line, but not those bound to a child. Children inherit `child` from their parent. */
function withPrintableBindings(log: Logger): Logger {
  const plain = Object.getPrototypeOf(log) as Logger;
  log.child = function bind(this: Logger, bindings, options) {
    return plain.child.call(this, printable(bindings), options);
  } as Logger['child'];
  return log;
}

const printable = (fields: object): Record<string, unknown> => printableFields(fields, 0);

function printableFields(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      isSecret(name) ? '[hidden]' : printableValue(value, depth + 1),
    ]),
  );
}

const isSecret = (name: string): boolean => secretFields.has(name.toLowerCase().replaceAll(/[-_]/g, ''));

/** Objects with a class of their own, such as a Date, say themselves what may be printed. */
function printableValue(value: unknown, depth: number): unknown {
  if (value instanceof Error) return describeError(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > deepest) return '[too deep]';
  if (Array.isArray(value)) return value.map((item) => printableValue(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? printableFields(value, depth) : value;
}

function describeError(error: Error): unknown {
  const { name, message } = error;
  const code = 'code' in error && ['string', 'number'].includes(typeof error.code) ? { code: error.code } : {};
  return { name, ...code, message };
}
