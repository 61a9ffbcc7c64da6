// The emulator behind sockets: http and https on the same routes, the CA certificate for whoever needs to trust it, and
// the admin routes where they are switched on.
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ConnectionLost, type EmulatorResponse } from './gateway.ts';
import type { Emulator } from './emulator.ts';
import type { ServerCertificate } from './certificates.ts';
import type { Log } from './workspace.ts';

export interface ServerParts {
  readonly emulator: Emulator;
  /** PEM, shown at /ca.crt. */
  readonly caCertificate: string;
  readonly serverCertificate: ServerCertificate;
  /** Answers requests under /admin/; absent: there are none. */
  readonly admin?: (request: { method: string; path: string; body: string }) => Promise<EmulatorResponse>;
  readonly log: Log;
}

export interface RunningServer {
  readonly httpPort: number;
  readonly httpsPort: number;
  close(): Promise<void>;
}

/** No request of this API is larger; a longer one is broken off. */
const largestBody = 1024 * 1024;

/** Listens on both ports; 0 takes a free one. Rejects with the error of the port that could not be had. */
export async function startServer(
  parts: ServerParts,
  at: { readonly host: string; readonly httpPort: number; readonly httpsPort: number },
): Promise<RunningServer> {
  const http = createHttpServer(listener(parts, 'http'));
  const https = createHttpsServer(parts.serverCertificate, listener(parts, 'https'));
  try {
    return {
      httpPort: await listen(http, at.host, at.httpPort),
      httpsPort: await listen(https, at.host, at.httpsPort),
      close: async () => {
        await Promise.all([close(http), close(https)]);
      },
    };
  } catch (error) {
    await Promise.all([close(http), close(https)]);
    throw error;
  }
}

function listener(parts: ServerParts, scheme: 'http' | 'https'): RequestListener {
  return (request, response) => {
    answer(parts, scheme, request).then(
      ({ status, headers, body }) => {
        response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
        response.end(request.method === 'HEAD' ? undefined : body);
      },
      (error: unknown) => {
        if (!(error instanceof ConnectionLost)) parts.log('request broken off', { error: String(error) });
        response.destroy();
      },
    );
  };
}

async function answer(parts: ServerParts, scheme: string, request: IncomingMessage): Promise<EmulatorResponse> {
  const { method = 'GET' } = request;
  const path = request.url ?? '/';
  const body = await readBody(request);
  if (method === 'GET' && path === '/ca.crt') return plainText('application/x-pem-file', parts.caCertificate);
  if (parts.admin && path.startsWith('/admin/')) return parts.admin({ method, path, body });
  return parts.emulator.handle({ method, url: absolute(scheme, request, path), headers: plainHeaders(request), body });
}

/** The address the client used, as its Host header tells it. */
function absolute(scheme: string, { headers }: IncomingMessage, path: string): string {
  const origin = `${scheme}://${headers.host ?? 'localhost'}`;
  return URL.canParse(path, origin) ? new URL(path, origin).href : origin;
}

const plainHeaders = ({ headers }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(', ')]],
    ),
  );

const plainText = (contentType: string, body: string): EmulatorResponse => ({
  status: 200,
  headers: { 'content-type': contentType },
  body,
});

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > largestBody) throw new ConnectionLost(`the body is longer than ${largestBody} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
