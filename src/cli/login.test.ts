import { expect, test } from 'vitest';
import { aDatabaseBranch } from '../../test/builders/database-branch.ts';
import type { SecretObject } from './cluster.ts';
import { gitOpsOwner } from './edit.ts';
import { loginFrom, usable } from './login.ts';
import { teller } from './wait.ts';

const secret = (change: Record<string, string | undefined> = {}, owner = 'preview-42/database'): SecretObject => {
  const texts = {
    host: 'ep-1.example',
    port: '5433',
    database: 'app',
    username: 'id',
    password: 'token',
    'expires-at': '2026-09-22T12:00:00Z',
    ...change,
  };
  const data = Object.entries(texts).flatMap(([key, text]) =>
    text === undefined ? [] : [[key, Buffer.from(text).toString('base64')]],
  );
  return {
    metadata: { namespace: 'preview-42', name: 'database', annotations: { 'lakebranch.dev/owner': owner } },
    data: Object.fromEntries(data) as Record<string, string>,
  };
};

test('a login is read from the Secret of its object', () => {
  const { token, ...rest } = loginFrom(aDatabaseBranch(), secret({ certificates: 'PEM' }));
  expect(token.reveal()).toBe('token');
  expect(rest).toEqual({
    host: 'ep-1.example',
    port: 5433,
    database: 'app',
    user: 'id',
    expireTime: new Date('2026-09-22T12:00:00Z'),
    ca: 'PEM',
  });
});

test.each([
  [
    'that another object wrote',
    secret({}, 'elsewhere/database'),
    /does not belong to preview-42\/database but to elsewhere/,
  ],
  ['without a password', secret({ password: undefined }), /is not whole/],
  ['without a host', secret({ host: '' }), /is not whole/],
  ['whose end cannot be read', secret({ 'expires-at': 'soon' }), /is not whole/],
])('a Secret %s is not used', (_what, given, complaint) => {
  expect(() => loginFrom(aDatabaseBranch(), given)).toThrow(complaint);
});

const parked = aDatabaseBranch({ metadata: { annotations: { 'lakebranch.dev/paused': 'all' } } });

test.each([
  ['that lives is used', aDatabaseBranch(), '2026-09-22T11:58:00Z', { done: expect.anything() }],
  [
    'in its last minute is not',
    aDatabaseBranch(),
    '2026-09-22T11:59:30Z',
    { state: expect.stringMatching('dies within') },
  ],
  ['that is dead is not', aDatabaseBranch(), '2026-09-22T12:00:00Z', { state: expect.stringMatching('has expired') }],
  [
    'in its last minute, of an object that gets no other, is',
    parked,
    '2026-09-22T11:59:30Z',
    { done: expect.anything() },
  ],
])('a token %s', (_what, object, now, seen) => {
  expect(usable(object, loginFrom(object, secret()), new Date(now))).toEqual(seen);
});

test('nobody waits for the token of a parked object', () => {
  const login = loginFrom(parked, secret());
  expect(() => usable(parked, login, new Date('2026-09-22T12:00:00Z'))).toThrow(/is parked .* unpark database/);
});

test.each([
  [{ annotations: { 'argocd.argoproj.io/tracking-id': 'x' } }, 'Argo CD'],
  [{ labels: { 'argocd.argoproj.io/instance': 'x' } }, 'Argo CD'],
  [{ labels: { 'kustomize.toolkit.fluxcd.io/name': 'x' } }, 'Flux'],
  [{ annotations: { 'meta.helm.sh/release-name': 'shop' } }, 'Helm (release shop)'],
  [{}, undefined],
])('an object with %j is kept by %s', (metadata, owner) => {
  expect(gitOpsOwner(aDatabaseBranch({ metadata }))).toBe(owner);
});

test('progress says nothing twice', () => {
  const lines: string[] = [];
  const tell = teller((line) => lines.push(line));
  for (const text of ['a', 'a', 'b', 'a']) tell(text);
  expect(lines).toEqual(['  a', '  b', '  a']);
});
