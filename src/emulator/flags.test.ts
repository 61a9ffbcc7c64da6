import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ordinaryBehaviour } from './faults.ts';
import { BadSetting, flags, helpText, readSettings, variableOf } from './flags.ts';

const problem = (args: string[], env: Record<string, string> = {}): string => {
  try {
    readSettings(args, env);
    return 'accepted';
  } catch (error) {
    if (error instanceof BadSetting) return error.message;
    throw error;
  }
};

test('without anything it runs on a laptop', () => {
  expect(readSettings([], { HOME: '/home/ann' })).toMatchObject({
    stateDir: '/home/ann/.local/state/lakebranch-emulator',
    listen: '127.0.0.1',
    httpPort: 7080,
    httpsPort: 7443,
    pgPort: 5432,
    hostMode: { kind: 'address' },
    postgres: true,
    admin: false,
    core: {
      projects: ['shop'],
      principals: [{ kind: 'SERVICE_PRINCIPAL', name: '00000000-0000-4000-8000-00000000beef', secret: 'not-a-secret' }],
      behaviour: { tokenScope: 'workspace', initMs: 0, grantedSeconds: null },
    },
  });
});

test('flags win over variables, and both over defaults', () => {
  const env = {
    LAKEBRANCH_EMULATOR_HTTP_PORT: '1',
    LAKEBRANCH_EMULATOR_PG_PORT: '2',
    LAKEBRANCH_EMULATOR_ADMIN: 'true',
  };
  expect(readSettings(['--http-port', '3'], env)).toMatchObject({ httpPort: 3, pgPort: 2, admin: true });
});

test('what is repeatable can be repeated, or be one list', () => {
  const args = [
    '--project',
    'a',
    '--project',
    'b,c',
    '--service-principal',
    'x:1:2',
    '--user',
    'ann@example.com:dapi1',
  ];
  expect(readSettings(args, {}).core).toMatchObject({
    projects: ['a', 'b', 'c'],
    principals: [
      { kind: 'SERVICE_PRINCIPAL', name: 'x', secret: '1:2' },
      { kind: 'USER', name: 'ann@example.com', secret: 'dapi1' },
    ],
  });
});

test.each([
  ['--init-delay=1500ms', { core: { behaviour: { initMs: 1500 } } }],
  ['--suspend=1h30m', { core: { suspendSeconds: 5400 } }],
  ['--granted-life=30s', { core: { behaviour: { grantedSeconds: 30 } } }],
  ['--token-scope=endpoint', { core: { behaviour: { tokenScope: 'endpoint' } } }],
  ['--sweep-interval=10s', { core: { sweepIntervalMs: 10_000 } }],
  ['--keep-deleted=10m', { core: { keepDeletedSeconds: 600 } }],
  ['--access-token-life=10m', { core: { accessTokenSeconds: 600 } }],
  ['--permissions=enforced', { core: { permissions: 'enforced' } }],
  ['--no-postgres', { postgres: false }],
  ['--admin', { admin: true }],
  ['--state-dir=/data', { stateDir: '/data' }],
  ['--listen=0.0.0.0', { listen: '0.0.0.0' }],
])('%s', (arg, expected) => {
  expect(readSettings([arg], {})).toMatchObject(expected);
});

test('a folder is absolute, because PostgreSQL works in folders of its own', () => {
  expect(readSettings(['--state-dir', 'state'], {}).stateDir).toBe(resolve('state'));
});

test.each([
  [{ HOME: '/home/ann', XDG_STATE_HOME: '/state' }, '/state/lakebranch-emulator'],
  // The specification of these variables: what is empty or relative does not count.
  [{ HOME: '/home/ann', XDG_STATE_HOME: '' }, '/home/ann/.local/state/lakebranch-emulator'],
  [{ HOME: '/home/ann', XDG_STATE_HOME: 'state' }, '/home/ann/.local/state/lakebranch-emulator'],
])('with %o the state is kept in %s', (env, expected) => {
  expect(readSettings([], env).stateDir).toBe(expected);
});

test('names after a pattern', () => {
  expect(readSettings(['--host-mode', 'names', '--host-pattern', 'ep-*.db.example.com'], {}).hostMode).toEqual({
    kind: 'names',
    hostPattern: 'ep-*.db.example.com',
    listen: '127.0.0.1',
  });
});

test.each([
  [['--http-port', 'x'], '--http-port (or LAKEBRANCH_EMULATOR_HTTP_PORT): must be a port number'],
  [['--pg-port', '70000'], '--pg-port (or LAKEBRANCH_EMULATOR_PG_PORT): must be a port number up to 65535'],
  [
    ['--init-delay', '3'],
    '--init-delay (or LAKEBRANCH_EMULATOR_INIT_DELAY): "3" is not a duration like 500ms, 30s, 5m or 1h',
  ],
  [['--host-mode', 'dns'], '--host-mode (or LAKEBRANCH_EMULATOR_HOST_MODE): must be address or names'],
  [
    ['--host-mode', 'names'],
    '--host-pattern (or LAKEBRANCH_EMULATOR_HOST_PATTERN): must be a pattern like *.db.example.com or ep-{00..63}.lakebase.svc',
  ],
  [
    ['--service-principal', 'my-secret'],
    '--service-principal (or LAKEBRANCH_EMULATOR_SERVICE_PRINCIPAL): value 1 must have the form <client id>:<secret>',
  ],
  [
    ['--service-principal', ''],
    '--service-principal (or LAKEBRANCH_EMULATOR_SERVICE_PRINCIPAL): at least one service principal or --user is needed',
  ],
  [
    ['--project', 'Shop'],
    '--project (or LAKEBRANCH_EMULATOR_PROJECT): a project id starts with a lower-case letter, then a-z, 0-9 and -, up to 63 characters',
  ],
  [['--nope'], "Unknown option '--nope'"],
  [['serve'], "Unexpected argument 'serve'"],
])('%s is refused in one line', (args, expected) => {
  expect(problem(args)).toBe(expected);
  expect(problem(args)).not.toContain('\n');
});

test('a bad variable is named as well', () => {
  expect(problem([], { LAKEBRANCH_EMULATOR_ADMIN: 'yes' })).toBe(
    '--admin (or LAKEBRANCH_EMULATOR_ADMIN): must be true or false',
  );
});

test('no complaint repeats a secret', () => {
  expect(problem(['--user', 'dapi-secret'])).not.toContain('dapi-secret');
});

test('the manual names every setting, every behaviour and every kind of trouble', () => {
  const manual = readFileSync(join(import.meta.dirname, '../../docs/emulator.md'), 'utf8');
  const settings = Object.keys(flags).map((name) => `\`--${name}\``);
  const behaviours = Object.keys(ordinaryBehaviour).map((name) => `| \`${name}\``);
  const troubles = ['answer', 'failAfter', 'loseAnswer', 'loseRequest', 'delay'].map((kind) => `| \`${kind}\``);
  for (const words of [...settings, ...behaviours, ...troubles]) expect(manual).toContain(words);
});

test('the help names every setting', () => {
  for (const name of Object.keys(flags)) expect(helpText()).toContain(`--${name}`);
  expect(variableOf('no-postgres')).toBe('LAKEBRANCH_EMULATOR_NO_POSTGRES');
});
