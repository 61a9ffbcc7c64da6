// Flags and environment of the emulator's process: each setting once, with its default, its check and its explanation.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { federationPolicySchema, type FederationPolicy } from './federation.ts';
import { ordinaryBehaviour } from './faults.ts';
import { credentialSeconds } from './limits.ts';
import { defaultSettings, developmentPrincipal, type EmulatorSettings } from './settings.ts';
import { parseHostPattern } from './proxy/names.ts';
import type { HostMode } from './postgres/endpoints.ts';
import type { Principal } from './principals.ts';

export interface ProcessSettings {
  readonly stateDir: string;
  readonly listen: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Besides localhost and the address listened on. */
  readonly httpsNames: readonly string[];
  readonly pgPort: number;
  readonly hostMode: HostMode;
  readonly postgres: boolean;
  readonly admin: boolean;
  readonly core: EmulatorSettings;
}

/** A setting that cannot be used; one line that names it. */
export class BadSetting extends Error {
  override readonly name = 'BadSetting';
}

interface Flag {
  readonly help: string;
  /** As it is written on the command line; several values are separated by commas. */
  readonly default: string;
  readonly kind: 'one' | 'many' | 'switch';
}

export const flags = {
  'state-dir': {
    kind: 'one',
    default: '',
    help: 'Folder that keeps everything between runs. Default: lakebranch-emulator in $XDG_STATE_HOME or ~/.local/state.',
  },
  listen: { kind: 'one', default: '127.0.0.1', help: 'Address on which http and https listen.' },
  'http-port': { kind: 'one', default: '7080', help: 'Port of the API over http; 0 takes a free one.' },
  'https-port': { kind: 'one', default: '7443', help: 'Port of the API over https; 0 takes a free one.' },
  'https-name': { kind: 'many', default: '', help: 'Further host name in the certificate of https. Repeatable.' },
  'pg-port': { kind: 'one', default: '5432', help: 'Port of all databases; each has an address or name of its own.' },
  'host-mode': {
    kind: 'one',
    default: 'address',
    help: '`address`: every endpoint has its own loopback address (Linux). `names`: names after --host-pattern.',
  },
  'host-pattern': {
    kind: 'one',
    default: '',
    help: 'For --host-mode names: names that all reach this process, `*.db.example.com` or `ep-{00..63}.lakebase.svc`.',
  },
  project: { kind: 'many', default: 'shop', help: 'Project to make at the first start. Repeatable.' },
  'service-principal': {
    kind: 'many',
    default: `${developmentPrincipal.name}:${developmentPrincipal.secret}`,
    help: 'Client that may log in, as `<client id>:<secret>`. Repeatable; the first one owns the projects.',
  },
  user: { kind: 'many', default: '', help: 'User with a personal access token, as `<e-mail>:<token>`. Repeatable.' },
  'federation-policies': {
    kind: 'one',
    default: '',
    help: 'JSON file with a list of federation policies: whose tokens of other issuers are exchanged, as in docs/emulator.md.',
  },
  permissions: {
    kind: 'one',
    default: defaultSettings.permissions,
    help: '`open`: everybody may do everything. `enforced`: owners, and whom the permissions API names.',
  },
  'token-scope': {
    kind: 'one',
    default: ordinaryBehaviour.tokenScope,
    help: 'What a database token opens. `workspace`: every branch that has its role, as documented. `endpoint`: only its own.',
  },
  'init-delay': { kind: 'one', default: '0s', help: 'How long a new branch stays INIT at least.' },
  'sweep-interval': { kind: 'one', default: '1s', help: 'How often expired branches are removed.' },
  suspend: {
    kind: 'one',
    default: '5m',
    help: 'Of the projects made at the start: idle time until a database sleeps.',
  },
  'granted-life': {
    kind: 'one',
    default: '',
    help: 'Life of database tokens at most, whatever was asked, such as `30s`. Empty: as asked.',
  },
  'access-token-life': { kind: 'one', default: '1h', help: 'Life of access tokens of the API.' },
  'source-time-snap': {
    kind: 'one',
    default: '0s',
    help: 'A source_branch_time is moved back to a multiple of this, such as `12s`.',
  },
  'keep-deleted': { kind: 'one', default: '0s', help: 'How long the data of deleted branches is kept for undelete.' },
  'no-postgres': { kind: 'switch', default: '', help: 'The API alone, without databases behind it.' },
  admin: { kind: 'switch', default: '', help: 'Switches on /admin/, where faults are injected. Only for tests.' },
} as const satisfies Record<string, Flag>;

export type FlagName = keyof typeof flags;
const names = Object.keys(flags) as FlagName[];

export const variableOf = (flag: string): string => `LAKEBRANCH_EMULATOR_${flag.toUpperCase().replaceAll('-', '_')}`;

/** `args` without node and script. Flags win over variables. Throws BadSetting. */
export function readSettings(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ProcessSettings {
  const text = texts(args, env);
  const grantedLife = text['granted-life'];
  const core: EmulatorSettings = {
    ...defaultSettings,
    projects: read('project', list.pipe(z.array(projectId)), text.project),
    principals: principals(text['service-principal'], text.user),
    federationPolicies: federationPolicies(text['federation-policies']),
    permissions: read('permissions', z.enum(['open', 'enforced']), text.permissions),
    accessTokenSeconds: seconds('access-token-life', text['access-token-life']),
    sweepIntervalMs: Math.max(1, milliseconds('sweep-interval', text['sweep-interval'])),
    keepDeletedSeconds: seconds('keep-deleted', text['keep-deleted']),
    suspendSeconds: seconds('suspend', text.suspend),
    behaviour: {
      ...ordinaryBehaviour,
      tokenScope: read('token-scope', z.enum(['workspace', 'endpoint']), text['token-scope']),
      initMs: milliseconds('init-delay', text['init-delay']),
      sourceTimeSnapMs: milliseconds('source-time-snap', text['source-time-snap']),
      grantedSeconds:
        grantedLife === '' ? null : Math.min(seconds('granted-life', grantedLife), credentialSeconds.most),
    },
  };
  return {
    // PostgreSQL's programs work in folders of their own, where a relative path would mean another place.
    stateDir: resolve(text['state-dir'] || join(stateHome(env), 'lakebranch-emulator')),
    listen: read('listen', z.string().min(1, 'must not be empty'), text.listen),
    httpPort: read('http-port', port, text['http-port']),
    httpsPort: read('https-port', port, text['https-port']),
    httpsNames: read('https-name', list, text['https-name']),
    pgPort: read('pg-port', port, text['pg-port']),
    hostMode: hostMode(text),
    postgres: !switched('no-postgres', text['no-postgres']),
    admin: switched('admin', text.admin),
    core,
  };
}

/** Of the XDG variables, what is empty or relative does not count. */
function stateHome(env: Readonly<Record<string, string | undefined>>): string {
  const configured = env['XDG_STATE_HOME'] ?? '';
  return isAbsolute(configured) ? configured : join(env['HOME'] || homedir(), '.local', 'state');
}

/** The text of every setting, wherever it was given. */
function texts(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Record<FlagName, string> {
  const given = parsed(args);
  const textOf = (name: FlagName): string => {
    const value = given[name];
    if (value === true) return 'true';
    if (Array.isArray(value)) return value.join(',');
    return typeof value === 'string' ? value : (env[variableOf(name)] ?? flags[name].default);
  };
  return Object.fromEntries(names.map((name) => [name, textOf(name)])) as Record<FlagName, string>;
}

function parsed(args: readonly string[]): Record<string, unknown> {
  const options = Object.fromEntries(
    names.map((name) => {
      const { kind } = flags[name];
      return [name, { type: kind === 'switch' ? 'boolean' : 'string', multiple: kind === 'many' } as const];
    }),
  );
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    // Only the first sentence: the rest explains what this program does not have.
    throw new BadSetting((error instanceof Error ? error.message : String(error)).split('. ')[0]);
  }
}

function read<T>(name: FlagName, schema: z.ZodType<T>, text: string): T {
  const result = schema.safeParse(text);
  if (result.success) return result.data;
  throw complaint(name, result.error.issues[0]?.message ?? 'cannot be used');
}

const complaint = (name: FlagName, problem: string): BadSetting =>
  new BadSetting(`--${name} (or ${variableOf(name)}): ${problem}`);

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== ''),
);

const projectId = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,62}$/,
    'a project id starts with a lower-case letter, then a-z, 0-9 and -, up to 63 characters',
  );

const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number')
  .transform(Number)
  .refine((number) => number <= 65_535, 'must be a port number up to 65535');

function switched(name: FlagName, text: string): boolean {
  return (
    read(name, z.enum(['', 'true', 'false', '1', '0'], 'must be true or false'), text).match(/^(true|1)$/) !== null
  );
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `500ms`, `30s`, `5m`, `1h30m`. */
function milliseconds(name: FlagName, text: string): number {
  if (!/^(\d+(ms|s|m|h))+$/.test(text)) throw complaint(name, `"${text}" is not a duration like 500ms, 30s, 5m or 1h`);
  const parts = text.matchAll(/(\d+)(ms|s|m|h)/g);
  return [...parts].reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit ?? ''] ?? 0), 0);
}

const seconds = (name: FlagName, text: string): number => Math.ceil(milliseconds(name, text) / 1000);

/** The texts hold secrets: a complaint says where it is, never what it was. */
function principals(servicePrincipals: string, users: string): Principal[] {
  const pairs = (name: FlagName, text: string, kind: Principal['kind'], form: string): Principal[] =>
    read(name, list, text).map((pair, index) => {
      const colon = pair.indexOf(':');
      if (colon < 1 || colon === pair.length - 1)
        throw complaint(name, `value ${index + 1} must have the form ${form}`);
      return { name: pair.slice(0, colon), kind, secret: pair.slice(colon + 1) };
    });
  const all = [
    ...pairs('service-principal', servicePrincipals, 'SERVICE_PRINCIPAL', '<client id>:<secret>'),
    ...pairs('user', users, 'USER', '<e-mail>:<token>'),
  ];
  if (all.length === 0) throw complaint('service-principal', 'at least one service principal or --user is needed');
  return all;
}

function federationPolicies(file: string): FederationPolicy[] {
  if (file === '') return [];
  try {
    return z.array(federationPolicySchema).parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const problem = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : String(error);
    throw complaint('federation-policies', `${file}: ${problem}`);
  }
}

function hostMode(text: Readonly<Record<FlagName, string>>): HostMode {
  const kind = read('host-mode', z.enum(['address', 'names'], 'must be address or names'), text['host-mode']);
  if (kind === 'address') return { kind };
  const hostPattern = text['host-pattern'];
  try {
    parseHostPattern(hostPattern);
  } catch {
    throw complaint('host-pattern', 'must be a pattern like *.db.example.com or ep-{00..63}.lakebase.svc');
  }
  return { kind, hostPattern, listen: text.listen };
}

/** What `--help` prints. */
export function helpText(): string {
  const lines = names.map((name) => {
    const { kind, default: text, help } = flags[name];
    const value = kind === 'switch' ? '' : ' <value>';
    return `  --${name}${value}\n      ${help}${text === '' ? '' : ` Default: ${text}`}`;
  });
  return [
    'lakebranch-emulator: a local Lakebase to develop and test against.',
    '',
    ...lines,
    '',
    `Every setting can also be given as a variable, such as ${variableOf('http-port')}.`,
    '',
  ].join('\n');
}
