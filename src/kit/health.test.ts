import { networkInterfaces } from 'node:os';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { PortError, serveHealth, type HealthOptions } from './health.ts';

const setting = { host: '127.0.0.1', port: 0, hostSetting: 'HTTP_HOST', portSetting: 'HTTP_PORT' };

async function serve(over: Partial<HealthOptions> = {}) {
  const server = await serveHealth({ ...setting, unhealthy: () => undefined, unready: () => undefined, ...over });
  const get = async (path: string, method: 'GET' | 'POST' = 'GET'): Promise<[number, string]> => {
    const { statusCode, body } = await request(`http://127.0.0.1:${server.port}${path}`, { method });
    return [statusCode, await body.text()];
  };
  return { server, get };
}

test('health and readiness say what is wrong, and recover', async () => {
  let unhealthy: string | undefined;
  let unready: string | undefined = 'waiting for the cache of widgets';
  const { server, get } = await serve({ unhealthy: () => unhealthy, unready: () => unready });
  expect(await get('/healthz')).toEqual([200, 'ok\n']);
  expect(await get('/readyz?verbose')).toEqual([503, 'waiting for the cache of widgets\n']);
  unready = undefined;
  unhealthy = 'the Lease is too old';
  expect(await get('/readyz')).toEqual([200, 'ok\n']);
  expect(await get('/healthz')).toEqual([503, 'the Lease is too old\n']);
  await server.close();
});

test('further pages are served; one that fails, an unknown one and other methods are refused', async () => {
  const pages = {
    '/metrics': () => Promise.resolve({ type: 'text/plain', body: 'up 1\n' }),
    '/broken': () => Promise.reject(new Error('hunter2')),
  };
  const { server, get } = await serve({ pages });
  expect(await get('/metrics')).toEqual([200, 'up 1\n']);
  const [code, text] = await get('/broken');
  expect([code, text.includes('hunter2')]).toEqual([500, false]);
  expect((await get('/nothing'))[0]).toBe(404);
  expect((await get('/constructor'))[0]).toBe(404);
  expect((await get('/metrics', 'POST'))[0]).toBe(405);
  await server.close();
});

test('a port that is taken is named with its setting', async () => {
  const { server } = await serve();
  const taken = serveHealth({ ...setting, port: server.port, unhealthy: () => undefined, unready: () => undefined });
  await expect(taken).rejects.toThrow(PortError);
  await expect(taken).rejects.toThrow(`HTTP_PORT: cannot listen on 127.0.0.1:${server.port} (EADDRINUSE)`);
  await server.close();
});

test('an address that is not ours is named with its setting', async () => {
  // Set aside for documentation: no machine has it.
  const foreign = serveHealth({
    ...setting,
    host: '192.0.2.1',
    unhealthy: () => undefined,
    unready: () => undefined,
  });
  await expect(foreign).rejects.toThrow('HTTP_HOST: cannot listen on 192.0.2.1:0 (EADDRNOTAVAIL)');
});

test('without a host it answers on IPv4, and on IPv6 where there is that', async () => {
  const { server } = await serve({ host: undefined });
  const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
  for (const address of ['127.0.0.1', ...(hasIPv6 ? ['[::1]'] : [])]) {
    const { statusCode, body } = await request(`http://${address}:${server.port}/healthz`);
    expect([statusCode, await body.text()]).toEqual([200, 'ok\n']);
  }
  await server.close();
});
