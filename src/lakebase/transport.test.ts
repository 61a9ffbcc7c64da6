import { createServer, type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { newAuthority } from '../../test/fakes/certificates.ts';
import { startConnectProxy } from '../../test/fakes/connect-proxy.ts';
import { type Answer, blackHole, json, reset, startFaultServer } from '../../test/fakes/fault-server.ts';
import type { UnreachableCause } from './errors.ts';
import {
  type HttpRequest,
  type NetworkSettings,
  type NetworkTransport,
  TransportError,
  undiciTransport,
} from './transport.ts';

const patience = new AbortController().signal;
const open: NetworkTransport[] = [];

function transportWith(settings: NetworkSettings = {}): NetworkTransport {
  const transport = undiciTransport(settings);
  open.push(transport);
  return transport;
}

afterEach(async () => {
  for (const transport of open.splice(0)) await transport.close();
});

const get = (url: string): HttpRequest => ({ method: 'GET', url, headers: { authorization: 'Bearer s3same' } });

async function failureOf(work: Promise<unknown>): Promise<TransportError> {
  const error = await work.then(
    () => 'no failure',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TransportError);
  expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('s3same');
  return error as TransportError;
}

/** A port of loopback on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const hello: Answer = json({ hello: true }, 200, { 'X-Mixed-Case': 'yes' });

test('request and answer pass through unchanged, over a connection that is kept', async () => {
  await using server = await startFaultServer(hello);
  const transport = transportWith();
  const request: HttpRequest = {
    method: 'POST',
    url: `${server.url}/api/2.0/postgres/x?a=b%2Cc`,
    headers: { 'content-type': 'application/json', 'user-agent': 'lakebranch/test' },
    body: '{"ü":1}',
  };
  const answer = await transport(request, patience);
  expect(answer).toMatchObject({ status: 200, headers: { 'x-mixed-case': 'yes' }, body: '{"hello":true}' });
  expect(answer.headers['date']).toBeDefined();
  expect(server.requests[0]).toMatchObject({
    method: 'POST',
    path: '/api/2.0/postgres/x',
    headers: { 'content-type': 'application/json', 'user-agent': 'lakebranch/test' },
    body: '{"ü":1}',
  });
  expect(server.requests[0]?.query.get('a')).toBe('b,c');
  for (let count = 0; count < 10; count++) await transport(get(server.url), patience);
  // A connection counts as busy for a moment after its answer, so that a second one may be opened.
  expect(server.connections()).toBeLessThanOrEqual(2);
});

test('any status is an answer, with or without a body; redirects are not followed', async () => {
  await using server = await startFaultServer((response) => void response.writeHead(302, { location: '/login' }).end());
  expect(await transportWith()(get(server.url), patience)).toMatchObject({ status: 302, body: '' });
  expect(server.requests).toHaveLength(1);
});

describe('no answer', () => {
  test.each<[what: string, answer: Answer, reason: UnreachableCause]>([
    ['a reset', reset, 'reset'],
    [
      'a reset in the middle of the answer',
      (response) => response.writeHead(200).write('{"half', () => response.destroy()),
      'reset',
    ],
    [
      'something that is not HTTP',
      (response) => void response.socket?.end('s3same HTTP is what I speak\r\n\r\n'),
      'other',
    ],
    ['an answer without end', (response) => void response.end(Buffer.alloc(11 * 1024 * 1024, 'x')), 'other'],
  ])('%s', async (_, answer, reason) => {
    await using server = await startFaultServer(answer);
    expect(await failureOf(transportWith()(get(server.url), patience))).toMatchObject({ reason });
  });

  test('a refused connection; the message holds no address that changes', async () => {
    const error = await failureOf(transportWith()(get(`http://127.0.0.1:${await freePort()}`), patience));
    expect(error).toMatchObject({ reason: 'refused', message: 'the connection was refused (ECONNREFUSED)' });
  });

  test('a name that does not resolve', async () => {
    // A label of more than 63 characters: no resolver is asked for it, so the test needs none.
    const url = `http://${'x'.repeat(64)}.invalid`;
    expect(await failureOf(transportWith()(get(url), patience))).toMatchObject({ reason: 'dns' });
  });

  test('an abort rejects with its own reason and closes the connection', async () => {
    await using server = await startFaultServer(blackHole);
    const caller = new AbortController();
    const call = transportWith()(get(server.url), caller.signal);
    await expect.poll(() => server.requests.length, { timeout: 30_000 }).toBe(1);
    caller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await expect.poll(() => server.requests[0]?.socket.destroyed, { timeout: 30_000 }).toBe(true);
  });
});

describe('TLS', () => {
  const address = [{ type: 'ip', value: '127.0.0.1' }] as const;

  test('a server of the given CA is trusted, over HTTP/1.1', async () => {
    const authority = await newAuthority();
    await using server = await startFaultServer(hello, await authority.issue('server', address));
    expect(await transportWith({ ca: authority.ca })(get(server.url), patience)).toMatchObject({ status: 200 });
  });

  test.each<[what: string, ca: 'other' | 'none']>([
    ['an unknown CA', 'other'],
    ['an unknown CA, judged by those of the system', 'none'],
  ])('%s is not trusted, and nothing is sent', async (_, ca) => {
    const authority = await newAuthority();
    await using server = await startFaultServer(hello, await authority.issue('server', address));
    const settings = ca === 'other' ? { ca: (await newAuthority()).ca } : {};
    const error = await failureOf(transportWith(settings)(get(server.url), patience));
    expect(error).toMatchObject({ reason: 'tls' });
    expect(server.requests).toEqual([]);
  });

  test("somebody else's certificate is not accepted, and the message says whose it is", async () => {
    const authority = await newAuthority();
    const issued = await authority.issue('server', [{ type: 'dns', value: 'elsewhere.example' }]);
    await using server = await startFaultServer(hello, issued);
    const url = server.url.replace('127.0.0.1', 'localhost');
    const error = await failureOf(transportWith({ ca: authority.ca })(get(url), patience));
    expect(error).toMatchObject({ reason: 'tls', message: expect.stringContaining('elsewhere.example') as string });
  });
});

test('a server that does not speak TLS; the message is the same each time', async () => {
  await using server = await startFaultServer(hello);
  const transport = transportWith();
  const url = server.url.replace('http:', 'https:');
  const errors = [await failureOf(transport(get(url), patience)), await failureOf(transport(get(url), patience))];
  expect(errors.map(({ reason }) => reason)).toEqual(['tls', 'tls']);
  expect(errors[0]?.message).toBe(errors[1]?.message);
  expect(errors[0]?.message).toMatch(/^the other side does not speak TLS with us \([A-Z_]+\)$/);
});

describe('a proxy', () => {
  const secured = async (): Promise<{ ca: string; server: Awaited<ReturnType<typeof startFaultServer>> }> => {
    const authority = await newAuthority();
    const server = await startFaultServer(hello, await authority.issue('server', [{ type: 'ip', value: '127.0.0.1' }]));
    return { ca: authority.ca, server };
  };

  test('carries https, logged in with what its URL says', async () => {
    await using proxy = await startConnectProxy();
    const { ca, server } = await secured();
    await using _ = server;
    const url = proxy.url.replace('http://', 'http://user:p%40s3same@');
    const transport = transportWith({ ca, proxy: { url } });
    expect(await transport(get(server.url), patience)).toMatchObject({ status: 200 });
    const authorization = `Basic ${Buffer.from('user:p@s3same').toString('base64')}`;
    expect(proxy.tunnels).toEqual([{ target: new URL(server.url).host, authorization }]);
    expect(server.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  test.each([
    ['a host that NO_PROXY names', 'internal.example,127.0.0.1'],
    ['every host', '*'],
  ])('is passed by for %s', async (_, noProxy) => {
    const { ca, server } = await secured();
    await using _server = server;
    const proxy = { url: `http://127.0.0.1:${await freePort()}`, noProxy };
    expect(await transportWith({ ca, proxy })(get(server.url), patience)).toMatchObject({ status: 200 });
  });

  test('is passed by for plain http, as HTTPS_PROXY is', async () => {
    await using server = await startFaultServer(hello);
    const proxy = { url: `http://127.0.0.1:${await freePort()}` };
    expect(await transportWith({ proxy })(get(server.url), patience)).toMatchObject({ status: 200 });
  });

  test('may be written without its scheme', async () => {
    await using proxy = await startConnectProxy();
    const { ca, server } = await secured();
    await using _ = server;
    const url = proxy.url.replace('http://', '');
    expect(await transportWith({ ca, proxy: { url } })(get(server.url), patience)).toMatchObject({ status: 200 });
    expect(proxy.tunnels).toHaveLength(1);
  });

  test('whose address is none is refused at once, unquoted', () => {
    const attempt = (): unknown => undiciTransport({ proxy: { url: 'http://user:s3same@:::' } });
    expect(attempt).toThrow(new TypeError('the address of the proxy is not a URL'));
  });

  test.each([403, 407, 502])('that refuses with %i is blamed', async (verdict) => {
    await using proxy = await startConnectProxy();
    proxy.verdict = verdict;
    const error = await failureOf(transportWith({ proxy: { url: proxy.url } })(get('https://dbc.example'), patience));
    expect(error).toMatchObject({
      reason: 'proxy',
      message: `the proxy does not let the connection through (HTTP ${verdict})`,
    });
  });

  test('that is not there is blamed, and its password is not quoted', async () => {
    const url = `http://user:s3same@127.0.0.1:${await freePort()}`;
    const error = await failureOf(transportWith({ proxy: { url } })(get('https://dbc.example'), patience));
    expect(error).toMatchObject({
      reason: 'proxy',
      message: 'cannot reach the proxy: the connection was refused (ECONNREFUSED)',
    });
  });

  test('that does not answer can be waited for no longer than the caller likes', async () => {
    await using proxy = await startConnectProxy();
    proxy.verdict = undefined;
    const caller = new AbortController();
    const call = transportWith({ proxy: { url: proxy.url } })(get('https://dbc.example'), caller.signal);
    await expect.poll(() => proxy.tunnels.length, { timeout: 30_000 }).toBe(1);
    caller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });

  test('of the environment is not used', async () => {
    await using server = await startFaultServer(hello);
    const before = process.env['http_proxy'];
    process.env['http_proxy'] = `http://127.0.0.1:${await freePort()}`;
    try {
      const transport = transportWith({ proxy: { url: `http://127.0.0.1:${await freePort()}` } });
      expect(await transport(get(server.url), patience)).toMatchObject({ status: 200 });
    } finally {
      if (before === undefined) delete process.env['http_proxy'];
      else process.env['http_proxy'] = before;
    }
  });
});
