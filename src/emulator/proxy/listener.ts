// Accepts connections on one address and keeps count of them.
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import type { Gate } from './gate.ts';
import { Session } from './session.ts';

/** An address that cannot be listened on, told in words that say what to do. */
export class ListenError extends Error {}

export class Listener {
  readonly #server: Server;
  readonly #sessions: Set<Session>;

  private constructor(server: Server, sessions: Set<Session>) {
    this.#server = server;
    this.#sessions = sessions;
  }

  /** Listens on `host`:`port`; rejects with a `ListenError` when that is impossible. */
  static async open(host: string, port: number, gate: Gate): Promise<Listener> {
    const sessions = new Set<Session>();
    const server = createServer((socket) => {
      const session = new Session(socket, gate);
      sessions.add(session);
      void session.run().finally(() => sessions.delete(session));
    });
    await listen(server, host, port);
    return new Listener(server, sessions);
  }

  /** Cuts off the sessions of one endpoint. */
  endSessions(endpointUid: string): void {
    for (const session of this.#sessions) if (session.endpointUid === endpointUid) session.end();
  }

  /** Stops listening and cuts off every session. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.end();
    await closed;
  }
}

/** Finds out at once, before anything depends on it, whether `host`:`port` can be listened on. */
export async function checkListenable(host: string, port: number): Promise<void> {
  const server = createServer();
  await listen(server, host, port);
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new ListenError(whyNot(error, host, port), { cause: error })));
    server.listen({ host, port }, () => resolve());
  });
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE') {
    return `port ${port} is taken on ${host}: stop what listens there (on 0.0.0.0 counts too) or choose another port with --pg-port`;
  }
  if (error.code === 'EACCES') {
    return `port ${port} may not be used by this user: choose one from 1024 up with --pg-port`;
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return host.startsWith('127.')
      ? `this machine has no address ${host}: the addresses 127.64.0.0/10 need Linux; elsewhere use --host-pattern`
      : `this machine has no address ${host}: choose another --listen`;
  }
  return `cannot listen on ${host}:${port} (${error.code ?? error.message}): choose another port with --pg-port`;
}
