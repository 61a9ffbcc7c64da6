import { expect, test } from 'vitest';
import { aBench } from './emulator-caller.ts';
import { emulatorTransport } from './emulator-transport.ts';

const request = { method: 'GET', url: 'https://lakebase.test/.well-known/databricks-config', headers: {} } as const;

test('an answer comes through, and names the host that was asked', async () => {
  const { emulator } = await aBench();
  const { status, headers, body } = await emulatorTransport(emulator)(request, AbortSignal.timeout(60_000));
  expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/json' });
  expect(JSON.parse(body)).toMatchObject({ oidc_endpoint: 'https://lakebase.test/oidc' });
});

test('a lost answer is a connection that was reset', async () => {
  const { emulator } = await aBench();
  emulator.faults.inject({ trouble: { kind: 'loseAnswer' } });
  const answer = emulatorTransport(emulator)(request, AbortSignal.timeout(60_000));
  await expect(answer).rejects.toMatchObject({ name: 'TransportError', reason: 'reset' });
});

test('a caller that gives up does not wait for a delayed answer', async () => {
  const { emulator } = await aBench();
  emulator.faults.inject({ trouble: { kind: 'delay', ms: 60_000 } });
  const giveUp = new AbortController();
  const answer = emulatorTransport(emulator)(request, giveUp.signal);
  giveUp.abort(new Error('deadline'));
  await expect(answer).rejects.toThrow('deadline');
});
