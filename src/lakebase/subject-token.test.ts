import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../kit/clock.ts';
import type { SubjectTokenTrouble } from './errors.ts';
import { audiencesOf, projectedToken } from './subject-token.ts';

const start = new Date('2026-03-01T12:00:00Z');
const audience = 'https://lakebase.example';
const exp = start.getTime() / 1000 + 3600;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'subject-token-'));
});
afterEach(() => rm(folder, { recursive: true }));

const file = (): string => join(folder, 'token');
const read = (apiServer: readonly string[] = [], clock = new ManualClock(start)) =>
  projectedToken({ file: file(), audience, clock, apiServerAudiences: () => Promise.resolve(apiServer) });

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (claims: object): string => `${part({ alg: 'ES256' })}.${part(claims)}.c2lnbmF0dXJl`;
const good = {
  iss: 'https://cluster',
  sub: 'system:serviceaccount:lakebranch-system:lakebranch',
  aud: [audience],
  exp,
};

test('the token is read with what a federation policy has to name, without the line break that an editor leaves', async () => {
  await writeFile(file(), `${jwt(good)}\n`);
  const { token, ...named } = await read()();
  expect(named).toEqual({ issuer: good.iss, subject: good.sub, audience });
  expect(token.reveal()).toBe(jwt(good));
});

test('each time anew, so that a renewed one is picked up however the kubelet swaps it', async () => {
  await writeFile(file(), jwt(good));
  const source = read();
  await source();
  await writeFile(`${file()}.new`, jwt({ ...good, sub: 'renewed' }));
  await rename(`${file()}.new`, file());
  expect((await source()).subject).toBe('renewed');
});

test.each<[string, string | undefined, SubjectTokenTrouble, RegExp]>([
  ['no file', undefined, 'notFound', /subject-token-.*token cannot be read \(ENOENT\)$/],
  ['an empty file', '', 'unusable', /holds no ServiceAccount token/],
  ['something else', 'dapi-s3same', 'unusable', /holds no ServiceAccount token/],
  ['a broken token', 'eyJ.s3same.s3same', 'unusable', /holds no ServiceAccount token/],
  ['one without a subject', jwt({ ...good, sub: undefined }), 'unusable', /holds no ServiceAccount token/],
  ['one that never ends', jwt({ ...good, exp: undefined }), 'unusable', /holds no ServiceAccount token/],
  ['another audience', jwt({ ...good, aud: ['other'] }), 'unusable', /for audience other, not for https:\S+ alone/],
  ['the audience as a text', jwt({ ...good, aud: 'other' }), 'unusable', /for audience other/],
  ['an audience beside', jwt({ ...good, aud: [audience, 'api'] }), 'unusable', /https:\S+, api, not for/],
  ['no audience', jwt({ ...good, aud: [] }), 'unusable', /for audience \(none\)/],
  [
    'one whose life is over',
    jwt({ ...good, exp: exp - 3600 }),
    'expired',
    /has expired at 2026-03-01T12:00:00.000Z: the kubelet/,
  ],
])('%s', async (_sentence, content, subjectToken, message) => {
  if (content !== undefined) await writeFile(file(), content);
  const error: unknown = await read()().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'unauthenticated',
    message: expect.stringMatching(message),
    details: { subjectToken },
  });
  expect(inspect(error, { depth: Infinity, showHidden: true })).not.toMatch(/s3same|c2lnbmF0dXJl/);
});

test('a token that the API server would accept is not even read', async () => {
  await writeFile(file(), jwt(good));
  await expect(read(['api', audience])()).rejects.toMatchObject({
    message: expect.stringMatching(/is that of the API server: .*Choose another/),
    details: { subjectToken: 'unusable' },
  });
  expect((await read(['api'])()).audience).toBe(audience);
});

test.each<[string, string | undefined, string[]]>([
  ['of a ServiceAccount', `Bearer ${jwt({ aud: ['api', 'k3s'] })}`, ['api', 'k3s']],
  ['one audience as a text', `Bearer ${jwt({ aud: 'api' })}`, ['api']],
  ['a token without any', `Bearer ${jwt({})}`, []],
  ['a token that is no JWT', 'Bearer abcdef', []],
  ['a password', 'Basic YWRtaW46c2VjcmV0', []],
  ['a client certificate', undefined, []],
])('what the API server accepts is read from the way to it: %s', (_sentence, header, expected) => {
  expect(audiencesOf(header)).toEqual(expected);
});
