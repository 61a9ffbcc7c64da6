// An HTTP(S) server on loopback whose every answer a test decides, to play an API server in trouble.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly socket: Socket;
}

export type Answer = (response: ServerResponse, request: SeenRequest) => void;

export const json =
  (body: unknown, code = 200, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

export const refuse = (code: number, reason: string, headers: Record<string, string> = {}): Answer =>
  json({ kind: 'Status', code, reason, message: `${reason} happened` }, code, headers);

/** Accepts and never answers. */
export const blackHole: Answer = () => {};

export const reset: Answer = (response) => {
  (response.socket as (Socket & { resetAndDestroy(): void }) | null)?.resetAndDestroy();
};

export interface FaultServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: SeenRequest[];
  /** Connections accepted so far. */
  readonly connections: () => number;
  /** What is answered once `next` is used up. */
  otherwise: Answer;
  /** Answers for the coming requests, in order. */
  readonly next: Answer[];
}

export async function startFaultServer(otherwise: Answer, tls?: ServerOptions): Promise<FaultServer> {
  const requests: SeenRequest[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const url = new URL(request.url ?? '/', 'http://server');
    const { method = '', headers, socket } = request;
    const seen = { method, path: url.pathname, query: url.searchParams, headers, body, socket };
    requests.push(seen);
    (server.next.shift() ?? server.otherwise)(response, seen);
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    void handle(request, response).catch(() => response.destroy());
  const http = tls ? createTlsServer(tls, listener) : createServer(listener);
  http.on('connection', (socket: Socket) => {
    connections += 1;
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  const server: FaultServer = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    connections: () => connections,
    otherwise,
    next: [],
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => http.close(resolve));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
  return server;
}
