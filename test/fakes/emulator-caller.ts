// An emulator on a clock that stands still, and a way to talk to it in one line.
import { ManualClock } from '../../src/kit/clock.ts';
import { createEmulator, type Emulator, type EmulatorParts } from '../../src/emulator/emulator.ts';
import { noDataPlane, type NoDataPlane } from '../../src/emulator/no-data-plane.ts';
import { developmentPrincipal } from '../../src/emulator/settings.ts';
import { valueAt, type Json } from '../../src/emulator/masks.ts';
import type { EmulatorResponse } from '../../src/emulator/gateway.ts';
import type { Principal } from '../../src/emulator/principals.ts';

export interface Reply {
  readonly status: number;
  readonly headers: EmulatorResponse['headers'];
  /** {} where the body is no JSON object; then `text` has it. */
  readonly body: Json;
  readonly text: string;
}

export type Send = (method: string, path: string, body?: unknown) => Promise<Reply>;

export interface Bench {
  readonly emulator: Emulator;
  readonly clock: ManualClock;
  readonly dataPlane: NoDataPlane;
  /** Below /api/2.0/postgres/ when the path has no leading slash, as the owner of the project `shop`. */
  readonly send: Send;
}

export const startOfTest = new Date('2026-10-05T12:00:00Z');

export async function aBench(
  parts: Partial<Omit<EmulatorParts, 'clock' | 'dataPlane'>> & Partial<Pick<Bench, 'clock' | 'dataPlane'>> = {},
): Promise<Bench> {
  const clock = parts.clock ?? new ManualClock(startOfTest);
  const dataPlane = parts.dataPlane ?? noDataPlane();
  const settings = { accessTokenSeconds: 10 * 365 * 86_400, ...parts.settings };
  const emulator = createEmulator({ ...parts, settings, clock, dataPlane });
  await emulator.started;
  const principal = parts.settings?.principals?.[0] ?? developmentPrincipal;
  return { emulator, clock, dataPlane, send: senderFor(emulator, await accessToken(emulator, principal)) };
}

export async function accessToken(emulator: Emulator, principal: Principal): Promise<string> {
  const pair = Buffer.from(`${principal.name}:${principal.secret}`).toString('base64');
  const answer = await emulator.handle({
    method: 'POST',
    url: '/oidc/v1/token',
    headers: { authorization: `Basic ${pair}` },
    body: 'grant_type=client_credentials&scope=all-apis',
  });
  return String(jsonOf(answer)['access_token']);
}

function jsonOf({ headers, body }: EmulatorResponse): Json {
  return headers['content-type'] === 'application/json' && body !== '' ? (JSON.parse(body) as Json) : {};
}

/** The text at a dotted path of an answer, such as `status.current_state`. */
export const textAt = (body: Json, path: string): string => String(valueAt(body, path));

/** The items of a list. */
export const itemsOf = (body: Json, plural: string): Json[] => (body[plural] ?? []) as Json[];

export function senderFor(emulator: Emulator, bearer: string): Send {
  return async (method, path, body) => {
    const answer = await emulator.handle({
      method,
      url: path.startsWith('/') ? path : `/api/2.0/postgres/${path}`,
      headers: { authorization: `Bearer ${bearer}` },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: answer.status, headers: answer.headers, body: jsonOf(answer), text: answer.body };
  };
}

/** Sends a change and lets its operation finish, where no clock has to move for that. Returns the finished operation. */
export async function change(bench: Bench, method: string, path: string, body?: unknown): Promise<Json> {
  const { status, body: operation } = await bench.send(method, path, body);
  if (status !== 200) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(operation)}`);
  await bench.emulator.idle();
  const finished = (await bench.send('GET', textAt(operation, 'name'))).body;
  if (finished['done'] !== true || finished['error']) throw new Error(`${method} ${path}: ${JSON.stringify(finished)}`);
  return finished;
}

export const aBranch = { spec: { ttl: '86400s' } };
export const aParent = { spec: { no_expiry: true } };

/** Lets everything run that does not wait for a clock. */
export const microtasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How `POST projects/…` is refused, as `400 BAD_REQUEST words`, without the trace; `200` when it is not. */
export async function refusalOf(bench: Bench, request: string, body?: unknown): Promise<string> {
  const [method = '', path = ''] = request.split(' ');
  const answer = await bench.send(method, path, body);
  if (answer.status === 200) return '200';
  // Members that clients would take for the errors of other APIs.
  const foreign = ['error', 'detail', 'scimType'].filter((member) => member in answer.body);
  if (foreign.length > 0) throw new Error(`the error body has ${foreign.join()}`);
  const message = textAt(answer.body, 'message');
  const words = message.replace(/ \[TraceId: [0-9a-f]{32}\]$/, '');
  return `${answer.status} ${textAt(answer.body, 'error_code')} ${words}`;
}

const branches = 'projects/shop/branches';

/** Brings the project `shop` into a state that a row of a table begins with. */
export const given = {
  nothing: () => Promise.resolve(),
  /** A branch `dev` that expires. */
  dev: (bench: Bench) => change(bench, 'POST', `${branches}?branch_id=dev`, aBranch),
  /** `dev` with a child. */
  parent: async (bench: Bench) => {
    await change(bench, 'POST', `${branches}?branch_id=dev`, aParent);
    const spec = { ttl: '3600s', source_branch: `${branches}/dev` };
    await change(bench, 'POST', `${branches}?branch_id=child`, { spec });
  },
  protectedDev: (bench: Bench) =>
    change(bench, 'POST', `${branches}?branch_id=dev`, { spec: { no_expiry: true, is_protected: true } }),
  defaultDev: async (bench: Bench) => {
    await change(bench, 'POST', `${branches}?branch_id=dev`, aParent);
    const spec = { default_branch: `${branches}/dev` };
    await change(bench, 'PATCH', 'projects/shop?update_mask=spec.default_branch', { spec });
  },
} as const satisfies Record<string, (bench: Bench) => Promise<unknown>>;

/** [sentence, what is there, `METHOD path`, body, refusal] */
export type RefusalRow = [string, keyof typeof given, string, unknown, string];
