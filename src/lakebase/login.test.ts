// The login against a database that behaves in every way but the usual one.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { beforeAll, expect, test } from 'vitest';
import { newAuthority, type Authority, type Issued } from '../../test/fakes/certificates.ts';
import { pgLogin, type LoginResult } from './login.ts';
import { Token } from './token.ts';

let authority: Authority;
let issued: Issued;
beforeAll(async () => {
  authority = await newAuthority();
  issued = await authority.issue('127.0.0.1', [{ type: 'ip', value: '127.0.0.1' }]);
});

const message = (type: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const ready = message('Z', Buffer.from('I'));
const welcome = Buffer.concat([message('R', Buffer.alloc(4)), ready]);
const selected = Buffer.concat([message('C', Buffer.from('SELECT 1\0')), ready]);
const refusal = message('E', Buffer.from('SFATAL\0C28000\0MExternal authorization failed\0\0'));

/** What the database does with the startup message, and with what comes after it. */
interface Behaviour {
  readonly onStartup: (socket: TLSSocket) => void;
  readonly onMessage?: (socket: TLSSocket, type: string) => void;
}

async function database({ onStartup, onMessage = () => {} }: Behaviour) {
  const open = new Set<Socket>();
  let connections = 0;
  let startups = 0;
  // Half open: it never closes a connection because the other side has said goodbye.
  const server = createServer({ allowHalfOpen: true }, (raw) => {
    connections += 1;
    open.add(raw);
    raw.on('error', () => {}).on('close', () => open.delete(raw));
    raw.once('data', () => {
      const socket = new TLSSocket(raw, { isServer: true, ...issued });
      socket.on('error', () => {});
      socket.once('data', () => {
        startups += 1;
        onStartup(socket);
        socket.on('data', (data) => onMessage(socket, data.toString('latin1', 0, 1)));
      });
      raw.write('S');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    connections: () => connections,
    startups: () => startups,
    login: (signal = new AbortController().signal): Promise<LoginResult> =>
      pgLogin(
        {
          host: '127.0.0.1',
          port,
          database: 'shop',
          user: 'app',
          token: new Token('eyJ.secret.token'),
          ca: authority.ca,
        },
        signal,
      ),
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const welcoming = (socket: TLSSocket): void => void socket.write(welcome);

test('a login is done although the database never closes the connection', async () => {
  await using db = await database({
    onStartup: welcoming,
    onMessage: (socket, type) => void (type === 'Q' && socket.write(selected)),
  });
  expect(await db.login()).toEqual({ ok: true });
});

test('a refusal is told although the connection is left open', async () => {
  await using db = await database({ onStartup: (socket) => void socket.write(refusal) });
  expect(await db.login()).toEqual({ ok: false, kind: 'refused', message: 'External authorization failed' });
});

test.each<[string, Behaviour]>([
  ['during the login', { onStartup: (socket) => socket.destroy() }],
  ['during the query', { onStartup: welcoming, onMessage: (socket) => socket.destroy() }],
  ['after the query', { onStartup: welcoming, onMessage: (socket) => void socket.end(selected) }],
])('a connection that is cut %s is a result and kills nobody', async (_when, behaviour) => {
  await using db = await database(behaviour);
  expect(await db.login()).toHaveProperty('ok');
});

test('a login that is broken off ends at once, whatever the database does', async () => {
  await using db = await database({ onStartup: () => {} });
  const abort = new AbortController();
  const result = db.login(abort.signal);
  await expect.poll(() => db.startups(), { timeout: 60_000 }).toBe(1);
  abort.abort(new Error('the controller stops'));
  expect(await result).toEqual({ ok: false, kind: 'refused', message: 'the login was broken off' });
});

test('a login that was broken off before it began does not begin', async () => {
  await using db = await database({ onStartup: welcoming });
  expect(await db.login(AbortSignal.abort())).toMatchObject({ ok: false });
  expect(db.connections()).toBe(0);
});
