// One real login, before a credential is handed out.
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Token } from './token.ts';

export interface LoginTarget {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly token: Token;
  /** PEM of a private CA; the system's CAs when absent. */
  readonly ca: string | undefined;
}

/**
 * - `roleMissing`  the database does not know the user
 * - `refused`      the database or its gate said no; often only for the first minute of a branch
 * - `noPath`       no network path, or something in between that is not the database
 */
export type LoginResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly kind: 'roleMissing' | 'refused' | 'noPath'; readonly message: string };

export type Login = (target: LoginTarget, signal: AbortSignal) => Promise<LoginResult>;

/** A sleeping compute takes a few seconds to wake; longer than this is no answer. */
const timeoutMs = 10_000;

/** How long the other side has to close the connection after our goodbye. */
const farewellMs = 1_000;
const brokenOff = 'the login was broken off';

/**
 * Connects with TLS verified against the host, runs `SELECT 1`, and leaves. Never throws, and ends within its limits or
 * soon after `signal` aborts, whatever the other side does.
 */
export const pgLogin: Login = async ({ host, port, database, user, token, ca }, signal) => {
  if (signal.aborted) return { ok: false, kind: 'refused', message: brokenOff };
  // Our own, because pg's goodbye waits for the other side, and before the connection stands it cannot be said.
  const socket = new Socket();
  const client = new pg.Client({
    host,
    port,
    database,
    user,
    password: token.reveal(),
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: 'lakebranch',
    ssl: { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) },
    stream: () => socket,
  });
  // A connection that is lost is told here as well as to the query; unheard, it would end the process.
  client.on('error', () => {});
  const abort = (): void => void socket.destroy(new Error(brokenOff));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await client.connect();
    await client.query('SELECT 1');
    return { ok: true };
  } catch (error) {
    return { ok: false, ...failureOf(error) };
  } finally {
    signal.removeEventListener('abort', abort);
    await Promise.race([client.end().catch(() => {}), delay(farewellMs, undefined, { ref: false })]);
    socket.destroy();
  }
};

const noPathCodes = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT']);

// Only the server's own sentence is passed on; it names users and databases, never the token.
function failureOf(error: unknown): { kind: 'roleMissing' | 'refused' | 'noPath'; message: string } {
  const { code, message } =
    error instanceof Error
      ? { code: 'code' in error ? String(error.code) : '', message: error.message }
      : { code: '', message: String(error) };
  if (noPathCodes.has(code) || /timeout expired|certificate|self-signed/i.test(message))
    return { kind: 'noPath', message: code ? `${code}: ${message}` : message };
  // 28000 is also what a gate in front of the database says; only the database itself names the role.
  return { kind: message.startsWith('role "') ? 'roleMissing' : 'refused', message };
}
