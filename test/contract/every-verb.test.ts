// The whole client, with its own OAuth, against the whole control plane of the emulator: each verb once, in the order
// in which a branch lives, and the refusals that the operator builds on.
import { afterAll, expect, test } from 'vitest';
import { createEmulator } from '../../src/emulator/emulator.ts';
import { noDataPlane } from '../../src/emulator/no-data-plane.ts';
import { developmentPrincipal } from '../../src/emulator/settings.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { oauthTokenSource } from '../../src/lakebase/auth.ts';
import type { LakebaseClient } from '../../src/lakebase/client.ts';
import type { LakebaseErrorCode } from '../../src/lakebase/errors.ts';
import { httpLakebaseClient } from '../../src/lakebase/http-client.ts';
import { Token } from '../../src/lakebase/token.ts';
import { emulatorTransport } from '../fakes/emulator-transport.ts';

const emulator = createEmulator({ clock: systemClock, dataPlane: noDataPlane() });
afterAll(() => emulator.stop());

const clientOf = (secret: string): LakebaseClient => {
  const options = {
    host: 'http://emulator.test',
    transport: emulatorTransport(emulator),
    clock: systemClock,
    userAgent: 'lakebranch/test',
  };
  const credentials = async (): Promise<{ clientId: string; clientSecret: Token }> => ({
    clientId: developmentPrincipal.name,
    clientSecret: new Token(secret),
  });
  return httpLakebaseClient({ ...options, tokens: oauthTokenSource({ ...options, credentials }) });
};

const client = clientOf(developmentPrincipal.secret ?? '');
const branch = { project: 'shop', branch: 'pr-1' };
const endpoint = { ...branch, endpoint: 'primary' };
const inTwoDays = new Date(Math.floor(Date.now() / 1000) * 1000 + 2 * 86_400_000);
const inThreeDays = new Date(inTwoDays.getTime() + 86_400_000);
const patient = { timeout: 60_000, interval: 50 };

const done = async (name: string): Promise<void> => {
  await expect.poll(async () => client.getOperation(name), patient).toMatchObject({ done: true });
  expect(await client.getOperation(name)).not.toHaveProperty('error');
};

test('a branch from its birth to its end', async () => {
  expect(await client.getProject('shop')).toMatchObject({ id: 'shop', defaultBranch: 'production', pgVersion: 17 });
  expect(await client.principal()).toBe(developmentPrincipal.name);

  const create = { project: 'shop', id: 'pr-1', source: 'production', expireTime: inTwoDays };
  await done((await client.createBranch(create)).name);
  await expect.poll(() => client.getBranch(branch).catch(() => undefined), patient).toMatchObject({ state: 'READY' });
  expect(await client.getBranch(branch)).toMatchObject({
    id: 'pr-1',
    project: 'shop',
    isDefault: false,
    isProtected: false,
    sourceBranch: 'production',
    expireTime: inTwoDays,
  });
  await expect(client.createBranch(create)).rejects.toMatchObject({ code: 'exists' });

  await done((await client.setExpiration(branch, inThreeDays)).name);
  expect((await client.getBranch(branch)).expireTime).toEqual(inThreeDays);

  await done((await client.resizeEndpoint(endpoint, { minCU: 0.5, maxCU: 2, suspendAfterSeconds: 120 })).name);
  await expect
    .poll(async () => (await client.listEndpoints(branch))[0], patient)
    .toMatchObject({
      id: 'primary',
      branch: 'pr-1',
      type: 'READ_WRITE',
      minCU: 0.5,
      maxCU: 2,
      suspendAfterSeconds: 120,
      pending: false,
      host: expect.any(String) as string,
    });

  const role = { roleId: 'sp-app', postgresRole: '00000000-0000-4000-8000-0000000000aa', membershipRoles: [] };
  await done((await client.createRole(branch, role)).name);
  await expect(client.createRole(branch, role)).rejects.toMatchObject({ code: 'exists' });
  await done((await client.setRoleMembership(branch, 'sp-app', ['DATABRICKS_SUPERUSER'])).name);
  expect(await client.listRoles(branch)).toContainEqual({
    id: 'sp-app',
    postgresRole: role.postgresRole,
    identityType: 'SERVICE_PRINCIPAL',
    authMethod: 'LAKEBASE_OAUTH_V1',
    membershipRoles: ['DATABRICKS_SUPERUSER'],
  });

  const credential = await client.mintCredential(endpoint, 900);
  const lifeMs = credential.expireTime.getTime() - credential.issueTime.getTime();
  expect(lifeMs).toBeGreaterThan(800_000);
  expect(lifeMs).toBeLessThan(1000_000);

  await done((await client.deleteBranch(branch)).name);
  await expect(client.getBranch(branch)).rejects.toMatchObject({ code: 'notFound' });
  expect((await client.listBranches('shop')).map(({ id }) => id)).toEqual(['production']);
  const remembered = await client.listBranches('shop', { showDeleted: true });
  expect(remembered.find(({ id }) => id === 'pr-1')?.deleteTime).toBeInstanceOf(Date);
  expect(client.clockOffsetMs()).toBeDefined();
});

test.each<[what: string, call: () => Promise<unknown>, code: LakebaseErrorCode]>([
  ['a branch that is not there', () => client.getBranch({ project: 'shop', branch: 'nobody' }), 'notFound'],
  ['a project that is not there', () => client.listBranches('nowhere'), 'notFound'],
  [
    'a source that is not there',
    () => client.createBranch({ project: 'shop', id: 'x1', source: 'nobody', expireTime: inTwoDays }),
    'notFound',
  ],
  [
    'an id that breaks the rules',
    () => client.createBranch({ project: 'shop', id: 'No', source: 'production', expireTime: inTwoDays }),
    'invalid',
  ],
  ['the root branch', () => client.deleteBranch({ project: 'shop', branch: 'production' }), 'invalid'],
  [
    'a life that is too short',
    () => client.mintCredential({ project: 'shop', branch: 'production', endpoint: 'primary' }, 10),
    'invalid',
  ],
  ['a wrong secret', () => clientOf('wrong').getProject('shop'), 'unauthenticated'],
])('refused: %s', async (_, call, code) => {
  await expect(call()).rejects.toMatchObject({ name: 'LakebaseError', code });
});
