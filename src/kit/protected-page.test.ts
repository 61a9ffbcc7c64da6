import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as dial, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Agent, request } from 'undici';
import { newAuthority, type Authority } from '../../test/fakes/certificates.ts';
import { Reviews } from '../../test/fakes/reviews.ts';
import { until } from '../../test/stack/until.ts';
import { ManualClock } from './clock.ts';
import { PortError } from './health.ts';
import { serveProtectedPage, type ProtectedPage, type ProtectedPageOptions } from './protected-page.ts';
import { CertificateError } from './serving-certificate.ts';

let reviews: Reviews;
let clock: ManualClock;
let complaints: string[];
let folder: string;
let server: ProtectedPage | undefined;

beforeEach(async () => {
  reviews = new Reviews();
  reviews.users.set('good', 'prometheus').set('other', 'somebody');
  reviews.allowed.add('prometheus get /metrics');
  clock = new ManualClock(new Date());
  complaints = [];
  folder = await mkdtemp(join(tmpdir(), 'lakebranch-page-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true });
});

const options = (change: Partial<ProtectedPageOptions>): ProtectedPageOptions => ({
  host: '127.0.0.1',
  port: 0,
  hostSetting: 'HOST',
  portSetting: 'PORT',
  kube: reviews,
  clock,
  path: '/metrics',
  page: () => Promise.resolve({ type: 'text/plain', body: 'up 1\n' }),
  certificateFolder: undefined,
  certificateSetting: 'CERT_DIR',
  onError: (error, what) => complaints.push(`${what}: ${String(error)}`),
  ...change,
});

const serve = async (change: Partial<ProtectedPageOptions> = {}): Promise<ProtectedPage> =>
  (server = await serveProtectedPage(options(change)));

async function get(path: string, authorization?: string, method: 'GET' | 'POST' = 'GET'): Promise<[number, string]> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const { statusCode, body } = await request(`https://127.0.0.1:${server!.port}${path}`, {
    method,
    dispatcher,
    ...(authorization === undefined ? {} : { headers: { authorization } }),
  });
  const answer: [number, string] = [statusCode, await body.text()];
  await dispatcher.close();
  return answer;
}

test.each<[string, string, string | undefined, number]>([
  ['a token that may read it', '/metrics', 'Bearer good', 200],
  ['a query does not matter', '/metrics?debug=1', 'bearer good', 200],
  ['no token', '/metrics', undefined, 401],
  ['a password', '/metrics', 'Basic Z29vZA==', 401],
  ['a token that nobody knows', '/metrics', 'Bearer made-up', 401],
  ['a token without the right', '/metrics', 'Bearer other', 403],
  ['another page', '/healthz', 'Bearer good', 404],
])('%s', async (_what, path, authorization, code) => {
  await serve();
  const [status, body] = await get(path, authorization);
  expect(status).toBe(code);
  expect(body.includes('up 1')).toBe(code === 200);
});

test('only GET', async () => {
  await serve();
  expect((await get('/metrics', 'Bearer good', 'POST'))[0]).toBe(405);
});

test('the page stays closed while the API server is away, and the log does not show the token', async () => {
  await serve();
  reviews.away = true;
  const [status, body] = await get('/metrics', 'Bearer good');
  expect([status, body.includes('up 1')]).toEqual([503, false]);
  expect(complaints).toEqual([expect.stringContaining('could not be asked who may read the metrics')]);
  expect(complaints.join().includes('good')).toBe(false);
});

test('plain HTTP gets nothing', async () => {
  await serve();
  const plain = request(`http://127.0.0.1:${server!.port}/metrics`, { headers: { authorization: 'Bearer good' } });
  await expect(plain).rejects.toThrow(/./);
  expect(reviews.asked).toBe(0);
});

async function write(authority: Authority, name: string): Promise<void> {
  const { cert, key } = await authority.issue(name, [{ type: 'dns', value: name }]);
  await Promise.all([writeFile(join(folder, 'tls.crt'), cert), writeFile(join(folder, 'tls.key'), key)]);
}

/** The name in the certificate that a new connection is shown. */
async function shownName(): Promise<string> {
  const socket = connect({ port: server!.port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

test('a certificate that was renewed is shown to the next who connects; a broken one is not', async () => {
  const authority = await newAuthority();
  await write(authority, 'first');
  await serve({ certificateFolder: folder });
  expect(await shownName()).toBe('first');

  await write(authority, 'second');
  await until('the new one is shown', async () => {
    clock.advance(10_000);
    return (await shownName()) === 'second';
  });

  await writeFile(join(folder, 'tls.key'), 'half a k');
  await until('the broken one is noticed', () => {
    clock.advance(10_000);
    return complaints.length > 0;
  });
  expect(complaints[0]).toContain('CERT_DIR: tls.crt and tls.key');
  expect(await shownName()).toBe('second');
  expect((await get('/metrics', 'Bearer good'))[0]).toBe(200);
});

test('a folder without a certificate is named with its setting', async () => {
  const served = serve({ certificateFolder: folder });
  await expect(served).rejects.toThrow(CertificateError);
  await expect(served).rejects.toThrow(/CERT_DIR: .*tls\.(crt|key): ENOENT/);
});

test('a port that is taken is named with its setting', async () => {
  const { port } = await serve();
  const second = serveProtectedPage(options({ port }));
  await expect(second).rejects.toThrow(PortError);
  await expect(second).rejects.toThrow(`PORT: cannot listen on 127.0.0.1:${port} (EADDRINUSE)`);
});

test('whoever opens ever more connections is turned away, and others get in when they are gone', async () => {
  const { port } = await serve();
  const silent: Socket[] = [];
  const turnedAway = new Promise<void>((resolve) => {
    for (let n = 0; n < 101; n++)
      silent.push(
        dial(port, '127.0.0.1')
          .on('error', () => undefined)
          .once('close', resolve),
      );
  });
  await turnedAway;
  for (const socket of silent) socket.destroy();
  const answered = (): Promise<number> =>
    get('/metrics', 'Bearer good').then(
      ([status]) => status,
      () => 0,
    );
  await until('others get in', async () => (await answered()) === 200);
});
