// The bundled emulator as a process, and what a test may ask of it beside its API: the admin route.
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetch } from 'undici';
import type { BranchFacts } from '../../src/emulator/emulator.ts';
import type { BehaviourChange, Fault } from '../../src/emulator/faults.ts';
import type { FederationPolicy } from '../../src/emulator/federation.ts';
import type { JournalEntry } from '../../src/emulator/journal.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { oauthTokenSource } from '../../src/lakebase/auth.ts';
import type { LakebaseClient } from '../../src/lakebase/client.ts';
import { httpLakebaseClient } from '../../src/lakebase/http-client.ts';
import { Token } from '../../src/lakebase/token.ts';
import { undiciTransport } from '../../src/lakebase/transport.ts';
import { freePorts } from '../control-plane/free-ports.ts';
import type { GuardedProcess, Guardian } from '../control-plane/guardian.ts';
import { logOf, ProcessEnded, waitForLine } from './process-log.ts';

export interface ServicePrincipal {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** The journal as JSON. */
export type JournalLine = Omit<JournalEntry, 'at'> & { readonly at: string };

export interface Emulator {
  readonly url: string;
  readonly httpsUrl: string;
  readonly pgPort: number;
  /** PEM of its authority, for https and the databases. */
  readonly ca: string;
  readonly project: string;
  readonly stateDir: string;
  readonly logFile: string;
  journal(): Promise<JournalLine[]>;
  /** Deleted ones included. */
  branches(): Promise<BranchFacts[]>;
  inject(fault: Fault): Promise<void>;
  setBehaviour(change: BehaviourChange): Promise<void>;
  /** Takes faults and changes of behaviour back. */
  calm(): Promise<void>;
  /** Whose tokens of other issuers are exchanged, instead of those set before. */
  federate(policies: readonly FederationPolicy[]): Promise<void>;
  /** The Lakebase API as a principal uses it. Close it when done. */
  as(principal: ServicePrincipal): { client: LakebaseClient; close(): Promise<void> };
  /** What our own client has no verb for; `path` is below /api/2.0/postgres/. Resolves with the answer's body. */
  call(principal: ServicePrincipal, method: string, path: string, body?: object): Promise<unknown>;
}

export interface EmulatorOptions {
  readonly bundle: string;
  readonly principals: readonly ServicePrincipal[];
  readonly args: readonly string[];
}

/** Between choosing a free port and listening on it somebody else can take it. */
const attempts = 3;

export async function startEmulator(guardian: Guardian, options: EmulatorOptions): Promise<Emulator> {
  const stateDir = join(guardian.dir, 'emulator');
  // As root the instances run as somebody else, who has to pass through; files with secrets are closed one by one.
  if (process.getuid?.() === 0) await chmod(guardian.dir, 0o711);
  for (let attempt = 1; ; attempt++) {
    const [pgPort] = await freePorts(1);
    const process = await launch(guardian, options, stateDir, pgPort);
    try {
      const [, url = '', httpsUrl = ''] = await waitForLine(process, /API +(\S+) +and +(\S+)[^]*Stop it with Ctrl-C/);
      return await emulatorAt({ url, httpsUrl, pgPort, stateDir, logFile: process.logFile });
    } catch (error) {
      const taken = error instanceof ProcessEnded && (await logOf(process.logFile)).includes('is taken');
      if (!taken || attempt === attempts) throw error;
    }
  }
}

function launch(
  guardian: Guardian,
  { bundle, principals, args }: EmulatorOptions,
  stateDir: string,
  pgPort: number,
): Promise<GuardedProcess> {
  const ports = ['--http-port=0', '--https-port=0', `--pg-port=${pgPort}`];
  return guardian.start({
    name: 'emulator',
    command: process.execPath,
    args: [bundle, `--state-dir=${stateDir}`, ...ports, '--admin', ...args],
    env: {
      PATH: process.env['PATH'] ?? '',
      // Not as an argument: everybody on the machine can read those.
      LAKEBRANCH_EMULATOR_SERVICE_PRINCIPAL: principals
        .map(({ clientId, clientSecret }) => `${clientId}:${clientSecret}`)
        .join(','),
    },
    endWith: 'SIGTERM',
  });
}

async function emulatorAt(
  at: Pick<Emulator, 'url' | 'httpsUrl' | 'pgPort' | 'stateDir' | 'logFile'>,
): Promise<Emulator> {
  const ca = await readFile(join(at.stateDir, 'ca.crt'), 'utf8');
  const admin = async (method: string, path: string, body?: object | readonly object[]): Promise<unknown> => {
    const response = await fetch(`${at.url}/admin/${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`${method} /admin/${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    ...at,
    ca,
    project: 'shop',
    journal: async () => (await admin('GET', 'log')) as JournalLine[],
    branches: async () => (await admin('GET', 'branches')) as BranchFacts[],
    inject: async (fault) => void (await admin('POST', 'faults', fault)),
    setBehaviour: async (change) => void (await admin('PATCH', 'behaviour', change)),
    calm: async () => void (await admin('DELETE', 'faults')),
    federate: async (policies) => void (await admin('PUT', 'federation-policies', policies)),
    as: (principal) => clientOf(at.httpsUrl, ca, principal),
    call: (principal, method, path, body) => call(at.url, principal, { method, path, body }),
  };
}

async function call(
  url: string,
  { clientId, clientSecret }: ServicePrincipal,
  { method, path, body }: { method: string; path: string; body: object | undefined },
): Promise<unknown> {
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  const issued = await fetch(`${url}/oidc/v1/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const { access_token: token } = (await issued.json()) as { access_token: string };
  const response = await fetch(`${url}/api/2.0/postgres/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

function clientOf(
  host: string,
  ca: string,
  { clientId, clientSecret }: ServicePrincipal,
): { client: LakebaseClient; close(): Promise<void> } {
  const transport = undiciTransport({ ca });
  const common = { host, transport, clock: systemClock, userAgent: 'lakebranch-stack' };
  const credentials = () => Promise.resolve({ clientId, clientSecret: new Token(clientSecret) });
  const client = httpLakebaseClient({ ...common, tokens: oauthTokenSource({ ...common, credentials }) });
  return { client, close: () => transport.close() };
}
