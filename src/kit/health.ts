// /healthz, /readyz and whatever else is to be served, on a port of their own.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where a server listens. */
export interface Listening {
  /** Undefined: all addresses, of IPv4 and IPv6. */
  readonly host: string | undefined;
  /** 0 takes a free one. */
  readonly port: number;
  /** Names the setting when the address cannot be had. */
  readonly hostSetting: string;
  /** Names the setting when the port cannot be had. */
  readonly portSetting: string;
}

export interface HealthOptions extends Listening {
  /** Undefined while all is well, else what is wrong. Only a wedged process may say so: a restart must help. */
  readonly unhealthy: () => string | undefined;
  /** Undefined when ready, else what is waited for. */
  readonly unready: () => string | undefined;
  readonly pages?: Readonly<Record<string, () => Promise<{ readonly type: string; readonly body: string }>>>;
}

/** One line that names the setting. */
export class PortError extends Error {
  override readonly name = 'PortError';
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function serveHealth(options: HealthOptions): Promise<HealthServer> {
  const { host, port, unhealthy, unready, pages = {} } = options;
  const say = (response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
    response.writeHead(status, { 'content-type': type }).end(text);
  };
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (request.method !== 'GET') return say(response, 405, 'only GET\n');
    if (path === '/healthz') return answer(unhealthy());
    if (path === '/readyz') return answer(unready());
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (!page) return say(response, 404, `there is ${['/healthz', '/readyz', ...Object.keys(pages)].join(', ')}\n`);
    page().then(
      ({ type, body }) => say(response, 200, body, type),
      () => say(response, 500, 'the page could not be made\n'),
    );
    function answer(complaint: string | undefined): void {
      say(response, complaint === undefined ? 200 : 503, `${complaint ?? 'ok'}\n`);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(options, error)));
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export function cannotListen(
  { host, port, hostSetting, portSetting }: Listening,
  error: NodeJS.ErrnoException,
): PortError {
  const code = error.code ?? error.message;
  const setting = ['EADDRINUSE', 'EACCES'].includes(code) ? portSetting : hostSetting;
  return new PortError(`${setting}: cannot listen on ${host ?? ''}:${port} (${code})`);
}
