// What the mounted Secret says now.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.env.DATABASE_DIR ?? '/var/run/db';

/** Read from one file, so that host and password belong together even while the Secret is switched. */
export function login() {
  const uri = new URL(readFileSync(join(folder, 'uri'), 'utf8'));
  return {
    host: uri.hostname,
    port: Number(uri.port),
    user: decodeURIComponent(uri.username),
    password: decodeURIComponent(uri.password),
    database: decodeURIComponent(uri.pathname.slice(1)),
  };
}

/** Encrypt and check the certificate: against `certificates` of the Secret if it is there, else as node does. */
const ca = join(folder, 'certificates');
export const ssl = existsSync(ca) ? { ca: readFileSync(ca, 'utf8') } : true;
