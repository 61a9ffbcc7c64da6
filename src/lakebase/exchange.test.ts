// When a request is repeated, and when it ends: told by the client, whose verbs all go this way.
import { describe, expect, test } from 'vitest';
import { branch, branchJson, clientScene, endpoint } from '../../test/fakes/client-scene.ts';
import { failureOf, fails, ok, refusal, type Reply, settled, silence } from '../../test/fakes/scripted-transport.ts';
import type { LakebaseClient } from './client.ts';
import type { UnreachableCause } from './errors.ts';
import { limited } from './limiter.ts';
import { TransportError } from './transport.ts';

const expiry = new Date('2026-03-03T12:00:00Z');

describe('repetition', () => {
  const lost = (reason: UnreachableCause): Reply => fails(new TransportError(reason, 'words'));
  const read = (client: LakebaseClient): Promise<unknown> => client.getBranch(branch);
  const write = (client: LakebaseClient): Promise<unknown> => client.setExpiration(branch, expiry);
  const mint = (client: LakebaseClient): Promise<unknown> => client.mintCredential(endpoint, 900);

  test.each<[what: string, trouble: Reply, read: boolean, write: boolean]>([
    ['429', refusal(429, 'RESOURCE_EXHAUSTED'), true, true],
    ['503', refusal(503, 'UNAVAILABLE'), true, false],
    ['500', refusal(500, 'INTERNAL_ERROR'), false, false],
    ['502 from a gateway', () => ({ status: 502, headers: {}, body: '<html>' }), false, false],
    ['409', refusal(409, 'ABORTED'), false, false],
    ['404', refusal(404, 'NOT_FOUND'), false, false],
    ['a reset', lost('reset'), true, false],
    ['a refused connection', lost('refused'), true, false],
    ['silence', lost('timeout'), true, false],
    ['a name that does not resolve', lost('dns'), true, false],
    ['a certificate that is not trusted', lost('tls'), false, false],
    ['a proxy that says no', lost('proxy'), false, false],
    ['an unknown failure', fails(new Error('s3cret')), false, false],
  ])('after %s', async (_, trouble, reads, writes) => {
    for (const [call, repeated] of [
      [read, reads],
      [write, writes],
      [mint, reads],
    ] as const) {
      const it = clientScene(ok({ ...branchJson(), token: 't', expire_time: '2026-03-01T13:00:00Z' }));
      it.next.push(trouble);
      const outcome = await settled(
        it.clock,
        call(it.client).then(
          () => 'ok',
          () => 'failed',
        ),
      );
      expect([outcome, it.asked.length]).toEqual(repeated ? ['ok', 2] : ['failed', 1]);
    }
  });

  test('a failure that we do not know is not quoted: it may hold the request', async () => {
    const it = clientScene(fails(new Error('s3cret')));
    const error = await failureOf(it.clock, read(it.client));
    expect(error).toMatchObject({ name: 'LakebaseError', code: 'unreachable', message: 'the request failed' });
    expect(error).not.toHaveProperty('cause');
  });

  test.each<[what: string, trouble: Reply, waits: number[]]>([
    ['the provider says when', refusal(429, 'X', '', { 'retry-after': '3' }), [3000, 3000, 3000, 3000]],
    ['the provider does not say when', refusal(429, 'X'), [500, 1000, 2000, 4000]],
    ['a connection that broke', lost('reset'), [125, 250, 500, 1000]],
  ])('waits when %s, four times and no more', async (_, trouble, waits) => {
    const it = clientScene(trouble);
    const at: number[] = [];
    it.next.push(
      ...Array.from({ length: 5 }, (): Reply => (request, signal) => {
        at.push(it.clock.monotonicMs());
        return trouble(request, signal);
      }),
    );
    await failureOf(it.clock, it.client.getBranch(branch));
    expect(at.slice(1).map((ms, index) => ms - (at[index] ?? 0))).toEqual(waits);
  });

  test('a wait that the deadline does not allow is not begun', async () => {
    const it = clientScene(refusal(429, 'X', 'slow down', { 'retry-after': '30' }));
    const error = await failureOf(it.clock, it.client.getBranch(branch));
    expect(error).toMatchObject({ code: 'throttled', message: 'slow down', details: { retryAfterMs: 30_000 } });
    expect(it.clock.monotonicMs()).toBe(0);
  });

  test('a token that the API refuses is replaced once', async () => {
    const it = clientScene(ok(branchJson()));
    it.next.push(refusal(401, 'UNAUTHENTICATED'));
    await settled(it.clock, it.client.getBranch(branch));
    expect(it.refused).toEqual(['s3same-1']);
    expect(it.asked.map(({ headers }) => headers['authorization'])).toEqual(['Bearer s3same-1', 'Bearer s3same-2']);
  });

  test('a refusal of the new one too is the answer, for writes as for reads', async () => {
    const it = clientScene(refusal(401, 'UNAUTHENTICATED', 'no'));
    expect(await failureOf(it.clock, it.client.deleteBranch(branch))).toMatchObject({
      code: 'unauthenticated',
      message: 'no',
    });
    expect(it.asked).toHaveLength(2);
  });
});

describe('every call ends', () => {
  test.each<[verb: string, call: (client: LakebaseClient, signal?: AbortSignal) => Promise<unknown>]>([
    ['a read', (client, signal) => client.getBranch(branch, signal)],
    ['a list', (client, signal) => client.listBranches('shop', {}, signal)],
    ['a write', (client, signal) => client.deleteBranch(branch, signal)],
    ['a mint', (client, signal) => client.mintCredential(endpoint, 900, signal)],
  ])('%s: at its deadline, or when its caller breaks off', async (_, call) => {
    const it = clientScene(silence);
    expect(await failureOf(it.clock, call(it.client))).toMatchObject({
      code: 'unreachable',
      message: 'no answer within 30 s',
      details: { unreachable: 'timeout' },
    });
    expect(it.clock.monotonicMs()).toBe(30_000);

    const caller = new AbortController();
    const broken = call(it.client, caller.signal);
    caller.abort();
    await expect(broken).rejects.toMatchObject({
      name: 'LakebaseError',
      code: 'unreachable',
      message: 'the call was broken off',
    });
    await expect(call(it.client, caller.signal), 'a signal that has aborted before').rejects.toMatchObject({
      code: 'unreachable',
    });
    expect(it.clock.nextTimer(), 'no timer is left behind').toBeUndefined();
  });

  test('the deadline holds for all pages of a list together', async () => {
    const it = clientScene((request, signal) => {
      it.clock.advance(4_000);
      return ok({ next_page_token: String(it.asked.length) })(request, signal);
    });
    await expect(it.client.listBranches('shop')).rejects.toMatchObject({ code: 'unreachable' });
    expect(it.asked).toHaveLength(8);
  });

  test('a call that our own budget held back until its deadline does not blame the provider', async () => {
    const it = clientScene(ok({ name: 'projects/shop' }), (transport, clock) =>
      limited(transport, clock, { perSecond: 0.01, burst: 1 }),
    );
    await settled(it.clock, it.client.getProject('shop'));
    const error = await failureOf(it.clock, it.client.getProject('shop'));
    expect(error).toMatchObject({ code: 'throttled', message: expect.stringContaining('our own limit') as string });
    expect(it.asked).toHaveLength(1);
  });

  test('the transport is told, so that it can hang up', async () => {
    let heard: AbortSignal | undefined;
    const it = clientScene((request, signal) => {
      heard = signal;
      return silence(request, signal);
    });
    const caller = new AbortController();
    const call = it.client.getBranch(branch, caller.signal);
    await expect.poll(() => heard).toBeDefined();
    caller.abort();
    await expect(call).rejects.toMatchObject({ code: 'unreachable' });
    expect(heard?.aborted).toBe(true);
  });
});
