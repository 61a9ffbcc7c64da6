import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { Token } from '../lakebase/token.ts';
import type { Login } from './login.ts';
import { databaseUrl, formatEnvironment, pgEnvironment, trustOf, trustWished } from './psql-environment.ts';

const login = (change: Partial<Login> = {}): Login => ({
  host: 'ep-1.example',
  port: 5432,
  database: 'my db',
  user: 'an@id',
  token: new Token('p/ss+w=rd'),
  expireTime: new Date('2026-09-22T12:00:00Z'),
  ca: undefined,
  ...change,
});

test.each([
  [
    'the system’s authorities, which libpq knows',
    undefined,
    undefined,
    17,
    { sslmode: 'verify-full', rootcert: 'system' },
  ],
  ['the system’s authorities, which an old libpq does not know', undefined, undefined, 15, { sslmode: 'require' }],
  ['a private authority in a file', 'PEM', '/ca.crt', 15, { sslmode: 'verify-full', rootcert: '/ca.crt' }],
  ['a private authority without a file', 'PEM', undefined, 17, { sslmode: 'require' }],
])('trust in %s', (_what, ca, file, major, trust) => {
  expect(trustOf(login({ ca }), file, major)).toEqual(trust);
});

const system = { sslmode: 'verify-full', rootcert: 'system' };

test.each([
  ['nothing', {}, system],
  ['a mode that libpq refuses with the authorities of the system', { PGSSLMODE: 'require' }, { sslmode: 'require' }],
  ['the same mode', { PGSSLMODE: 'verify-full' }, system],
  ['a file', { PGSSLROOTCERT: '/own.crt' }, { sslmode: 'verify-full', rootcert: '/own.crt' }],
])('of a person who has set %s', (_what, env, trust) => {
  expect(trustWished(env, system)).toEqual(trust);
});

test('a URL escapes what would end its parts', () => {
  expect(databaseUrl(login(), { sslmode: 'verify-full', rootcert: '/a b.crt' })).toBe(
    'postgresql://an%40id:p%2Fss%2Bw%3Drd@ep-1.example:5432/my%20db?sslmode=verify-full&sslrootcert=%2Fa+b.crt',
  );
});

const awkward = `it's "$HOME" \`id\` \\ and more`;

test('a shell reads every value as it is', () => {
  const script = `${formatEnvironment({ A: awkward, B: '' }, 'shell')}\nprintf '%s|%s' "$A" "$B"`;
  expect(execFileSync('sh', ['-c', script]).toString()).toBe(`${awkward}|`);
});

test('a .env file holds values in quotes', () => {
  expect(formatEnvironment({ A: 'x y', B: "it's $1" }, 'dotenv')).toBe(`A='x y'\nB="it's \\$1"`);
});

test('the token is in the environment only', () => {
  const { PGPASSWORD, ...others } = pgEnvironment(login(), { sslmode: 'require' });
  expect(PGPASSWORD).toBe('p/ss+w=rd');
  expect(others).toEqual({
    PGHOST: 'ep-1.example',
    PGPORT: '5432',
    PGDATABASE: 'my db',
    PGUSER: 'an@id',
    PGSSLMODE: 'require',
  });
});
