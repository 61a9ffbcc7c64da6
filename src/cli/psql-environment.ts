// What libpq and everything built on it reads from the environment. Pure.
import type { Login } from './login.ts';

export interface Trust {
  readonly sslmode: string;
  /** A file, or `system`. */
  readonly rootcert?: string | undefined;
}

/** The token is in PGPASSWORD, never on a command line, which everybody on the machine can read. */
export function pgEnvironment(login: Login, trust: Trust): Record<string, string> {
  return {
    PGHOST: login.host,
    PGPORT: String(login.port),
    PGDATABASE: login.database,
    PGUSER: login.user,
    PGPASSWORD: login.token.reveal(),
    PGSSLMODE: trust.sslmode,
    ...(trust.rootcert === undefined ? {} : { PGSSLROOTCERT: trust.rootcert }),
  };
}

export function databaseUrl({ host, port, database, user, token }: Login, { sslmode, rootcert }: Trust): string {
  const parameters = new URLSearchParams({ sslmode, ...(rootcert === undefined ? {} : { sslrootcert: rootcert }) });
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(token.reveal())}`;
  return `postgresql://${login}@${host.includes(':') ? `[${host}]` : host}:${port}/${encodeURIComponent(database)}?${parameters.toString()}`;
}

/** libpq knows the system's authorities since version 16; before that it can only encrypt. */
export function trustOf(login: Login, caFile: string | undefined, libpqMajor: number): Trust {
  if (login.ca !== undefined && caFile !== undefined) return { sslmode: 'verify-full', rootcert: caFile };
  if (login.ca === undefined && libpqMajor >= 16) return { sslmode: 'verify-full', rootcert: 'system' };
  return { sslmode: 'require' };
}

/** What the person has set wins. libpq takes `system` with verify-full alone, so it goes when another mode is asked for. */
export function trustWished({ PGSSLMODE: sslmode, PGSSLROOTCERT: rootcert }: Environment, found: Trust): Trust {
  const mode = sslmode ?? found.sslmode;
  const root = rootcert ?? (found.rootcert === 'system' && mode !== 'verify-full' ? undefined : found.rootcert);
  return { sslmode: mode, rootcert: root };
}

type Environment = Readonly<Record<string, string | undefined>>;

export type EnvFormat = 'shell' | 'dotenv' | 'json';

export function formatEnvironment(values: Readonly<Record<string, string>>, format: EnvFormat): string {
  if (format === 'json') return JSON.stringify(values, null, 2);
  return Object.entries(values)
    .map(([key, value]) =>
      format === 'shell' ? `export ${key}=${shellQuoted(value)}` : `${key}=${dotenvQuoted(value)}`,
    )
    .join('\n');
}

const shellQuoted = (value: string): string => `'${value.replaceAll("'", String.raw`'\''`)}'`;

/** Readers of .env files take single quotes literally; the few that cannot hold a value in them understand double ones. */
const dotenvQuoted = (value: string): string =>
  value.includes("'") ? `"${value.replaceAll(/[\\"$`]/g, String.raw`\$&`)}"` : `'${value}'`;
