// The control plane of the emulator behind https in this process, without databases, and a record of every request that
// it was sent and by whom. One emulator may answer as several workspaces, each of which has a budget of its own.
import { randomUUID } from 'node:crypto';
import { openCertificateAuthority, namesForAddress } from '../../src/emulator/certificates.ts';
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts';
import { noDataPlane } from '../../src/emulator/no-data-plane.ts';
import { startServer } from '../../src/emulator/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { ServicePrincipal } from '../stack/emulator.ts';

export interface ProviderRequest {
  readonly atMs: number;
  /** The first word of the user agent. */
  readonly agent: string;
  readonly method: string;
  /** Below /api/2.0/postgres/, without the query. */
  readonly path: string;
  /** What a branch that was asked for said of itself. */
  readonly state: string | undefined;
}

export interface Provider {
  readonly emulator: Emulator;
  /** One per workspace. */
  readonly hosts: readonly string[];
  /** PEM. */
  readonly ca: string;
  readonly manager: ServicePrincipal;
  readonly login: ServicePrincipal;
  /** Requests so far, oldest first; those for access tokens are left out. */
  readonly requests: readonly ProviderRequest[];
  stop(): Promise<void>;
}

export interface ProviderOptions {
  /** Where the certificate authority keeps its key. */
  readonly dir: string;
  readonly projects: readonly string[];
  readonly workspaces: number;
}

const api = '/api/2.0/postgres/';

export async function startProvider({ dir, projects, workspaces }: ProviderOptions): Promise<Provider> {
  const [manager, login] = [newPrincipal(), newPrincipal()];
  const emulator = createEmulator({
    clock: systemClock,
    dataPlane: noDataPlane(),
    settings: {
      projects,
      principals: [manager, login].map(({ clientId, clientSecret }) => ({
        name: clientId,
        kind: 'SERVICE_PRINCIPAL',
        secret: clientSecret,
      })),
      // A project remembers what was deleted for a week; between two samples that must not add up.
      rememberDeletedSeconds: 1,
    },
  });
  emulator.faults.set({ limits: { unarchivedBranches: 1_000_000, branches: 1_000_000 } });
  await emulator.started;
  const requests: ProviderRequest[] = [];
  const authority = await openCertificateAuthority(dir);
  const serverCertificate = await authority.issue(namesForAddress('127.0.0.1'));
  const parts = {
    emulator: recorded(emulator, requests),
    caCertificate: authority.certificate,
    serverCertificate,
    log: () => {},
  };
  const servers = await Promise.all(
    Array.from({ length: workspaces }, () => startServer(parts, { host: '127.0.0.1', httpPort: 0, httpsPort: 0 })),
  );
  return {
    emulator,
    hosts: servers.map(({ httpsPort }) => `https://127.0.0.1:${httpsPort}`),
    ca: authority.certificate,
    manager,
    login,
    requests,
    stop: async () => {
      await Promise.all(servers.map((server) => server.close()));
      await emulator.stop();
    },
  };
}

function recorded(emulator: Emulator, requests: ProviderRequest[]): Emulator {
  return {
    ...emulator,
    async handle(request) {
      const atMs = Date.now();
      const { pathname } = new URL(request.url);
      const answer = await emulator.handle(request);
      if (!pathname.startsWith(api)) return answer;
      const [agent = ''] = (request.headers['user-agent'] ?? '').split(' ');
      const state = /"current_state":"(\w+)"/.exec(answer.body)?.[1];
      requests.push({ atMs, agent, method: request.method, path: pathname.slice(api.length), state });
      return answer;
    },
  };
}

const newPrincipal = (): ServicePrincipal => ({ clientId: randomUUID(), clientSecret: randomUUID() });

/** Which route it was, whatever the names: every second segment of a path is one. */
export function routeOf({ method, path }: Pick<ProviderRequest, 'method' | 'path'>): string {
  const segments = path.split('/').map((segment, index) => (index % 2 === 1 ? '*' : segment));
  return `${method} ${segments.join('/')}`;
}
