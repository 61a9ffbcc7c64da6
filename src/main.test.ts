// The process as a whole, where its edge is all that matters.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { blackHole, startFaultServer } from '../test/fakes/fault-server.ts';

test('SIGTERM ends the process also while it waits for the first answer of the API server', async () => {
  await using server = await startFaultServer(blackHole);
  const folder = await mkdtemp(path.join(tmpdir(), 'lakebranch-main-'));
  const KUBECONFIG = path.join(folder, 'kubeconfig');
  const config = {
    'current-context': 'x',
    clusters: [{ name: 'x', cluster: { server: server.url, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'x', user: {} }],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
  };
  await writeFile(KUBECONFIG, JSON.stringify(config));
  const env = { PATH: process.env['PATH'], LAKEBRANCH_NAMESPACE: 'lakebranch-system', KUBECONFIG };
  const main = path.join(import.meta.dirname, 'main.ts');
  const operator = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    let words = '';
    operator.stderr.on('data', (chunk) => (words += String(chunk)));
    const ended = once(operator, 'close');
    await expect.poll(() => server.requests.length, { timeout: 20_000 }).toBe(1);
    operator.kill('SIGTERM');
    expect([...(await ended), words]).toEqual([0, null, '']);
  } finally {
    operator.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
});
