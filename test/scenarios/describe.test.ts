// What `kubectl describe dbb` tells somebody who has never seen the code: what is, why, and what to do, each said once.
// With DESCRIBE=1 the texts are printed, to be read.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, branchClassResource, databaseBranchResource, eventResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Condition, KubeObject } from '../../src/kit/kube.ts';
import { appLogin, Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const db = { namespace: 'pr-1', name: 'db' };
let world: Scenario;
afterEach(() => world.stop());

interface Event extends KubeObject {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly uid?: string };
}

const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const annotate = (key: string, value: string): void =>
  edit(({ metadata }) => void (metadata.annotations = { ...metadata.annotations, [key]: value }));
const reset = (): void => edit(({ spec }) => void (spec.reset = { token: '1', strategy: 'Switch', drain: '5m' }));
const servedId = (): string => world.object('db')?.status?.branch?.id ?? '';
const conditions = (): readonly Condition[] => world.object('db')?.status?.conditions ?? [];

/** As kubectl renders a custom resource: the fields of the status by name, then the Events of the object. */
function describe(): string {
  const object = world.object('db');
  const events = world.kube.all<Event>(eventResource).filter(({ regarding }) => regarding.uid === object?.metadata.uid);
  return [
    `Name:         ${object?.metadata.name}`,
    `Namespace:    ${object?.metadata.namespace}`,
    'Status:',
    ...rendered(object?.status ?? {}, '  '),
    'Events:',
    ...events.map(({ type, reason, note }) => `  ${type.padEnd(8)} ${reason.padEnd(18)} lakebranch  ${note}`),
  ].join('\n');
}

const rendered = (value: object, indent: string): string[] =>
  Object.entries(value).flatMap(([key, item]: [string, unknown]) => {
    const name = `${indent}${key.replace(/([A-Z])/g, ' $1').replace(/^./, (first) => first.toUpperCase())}:`;
    const items = Array.isArray(item) ? (item as unknown[]) : [item];
    if (typeof items[0] !== 'object') return [`${name}  ${String(item)}`];
    return [name, ...items.flatMap((one) => rendered(one as object, `${indent}  `))];
  });

async function served(options: ScenarioOptions = {}, spec: Partial<DatabaseBranch['spec']> = {}): Promise<void> {
  world = new Scenario(options);
  world.launch();
  world.apply('db', { expiration: { ttl: '300h' }, ...spec });
  await world.until('the branch is served', () => world.ready('db') === 'True');
  await world.settle(minuteMs);
}

async function fillProject(): Promise<void> {
  for (let n = 0; n < 8; n++) world.apply(`other-${n}`);
  await world.settle(minuteMs);
}

/** Each state, and words that must be in its text: of what is, why, and what to do. */
const states: readonly (readonly [state: string, begin: () => Promise<void>, words: readonly RegExp[]])[] = [
  ['Ready', () => served(), [/Secret opens the branch of this object with a valid token/]],
  [
    'creating',
    async () => {
      world = new Scenario({ behaviour: { initMs: 30_000 } });
      world.launch();
      world.apply('db');
      await world.settle(10_000);
    },
    [/is starting/],
  ],
  [
    'waiting in line',
    async () => {
      world = new Scenario();
      world.launch();
      for (let n = 0; n < 9; n++) world.apply(`other-${n}`);
      await world.settle(minuteMs);
      world.apply('db');
      await world.settle(minuteMs);
    },
    [/holds as many branches/, /status\.queue/, /Position:\s+1/],
  ],
  [
    'resetting',
    async () => {
      await served({ behaviour: { initMs: 60_000 } });
      reset();
      await world.settle(10_000);
    },
    [/Resetting/, /Secret opens the branch from before/],
  ],
  [
    'a reset that waits',
    async () => {
      await served();
      await fillProject();
      reset();
      await world.settle(minuteMs);
    },
    [/WaitingForBranchSlot/, /Secret opens the branch from before/],
  ],
  [
    'expired',
    async () => {
      await served({}, { expiration: { ttl: '1h' } });
      await world.settle(2 * hourMs);
    },
    [/the object expired/, /later spec\.expiration and, in the same edit, a new spec\.reset\.token/],
  ],
  [
    'deleted externally',
    async () => {
      await served();
      await world.removeBranch(servedId());
      await world.settle(11 * minuteMs);
    },
    [/somebody deleted the branch at the provider/, /new spec\.reset\.token/],
  ],
  [
    'deletion blocked by children',
    async () => {
      await served({}, { children: 'Allow' });
      await world.byHand('POST', 'projects/shop/branches?branch_id=by-hand', {
        spec: { source_branch: `projects/shop/branches/${servedId()}`, ttl: '86400s' },
      });
      world.kube.delete(databaseBranchResource, db);
      await world.settle(minuteMs);
    },
    [/is the parent of by-hand/, /kubectl annotate dbb db -n pr-1 lakebranch\.dev\/release=/],
  ],
  [
    'deletion of a protected branch',
    async () => {
      await served();
      await world.protectBranch(servedId());
      world.kube.delete(databaseBranchResource, db);
      await world.settle(minuteMs);
    },
    [/it is protected/, /lakebranch\.dev\/release=/],
  ],
  [
    'deletion during an outage',
    async () => {
      await served();
      world.emulator.faults.inject({ path: '/api/2.0/postgres/**', trouble: { kind: 'loseRequest' } });
      world.kube.delete(databaseBranchResource, db);
      await world.settle(2 * minuteMs);
    },
    [/cannot be deleted yet/, /no answer from the provider/, /lakebranch\.dev\/release=/],
  ],
  [
    'paused all',
    async () => {
      await served();
      annotate(annotationKey.paused, 'all');
      await world.settle(2 * hourMs);
    },
    [/stops everything but deletion/, /the provider removes the branch at 2026-/, /remove the annotation/],
  ],
  [
    'clock skewed',
    async () => {
      await served({}, { expiration: { ttl: '2h' } });
      world.kube.offsetMs = 10 * minuteMs;
      await world.settle(2 * hourMs + 5 * minuteMs);
    },
    [/should have ended at 2026-/, /clock/],
  ],
  [
    'unauthenticated',
    async () => {
      world = new Scenario({ withoutCredentials: true });
      world.addClientSecret('manager', { clientId: 'somebody', secret: 'wrong' });
      world.addClientSecret('login', appLogin);
      world.launch();
      world.apply('db');
      await world.settle(minuteMs);
    },
    [/does not accept the credential/, /Check the service principal of spec\.provider\.auth of the class/],
  ],
  [
    'a login that reaches the source',
    async () => {
      await served({ classes: [{ spec: { login: { sameAsProvider: true, auth: undefined } } }] }).catch(() => {});
    },
    [/LoginReachesSource/, /can log in there/],
  ],
  [
    'drifted',
    async () => {
      await served();
      await world.protectBranch(servedId());
      await world.settle(11 * minuteMs);
    },
    [/changed at the provider/, /is protected/, /Put it right at the provider/],
  ],
  [
    'a branch of another under our id',
    async () => {
      await served();
      const id = servedId();
      await world.removeBranch(id);
      await world.byHand('POST', `projects/shop/branches?branch_id=${id}`, {
        spec: { source_branch: 'projects/shop/branches/production', ttl: '86400s' },
      });
      await world.settle(11 * minuteMs);
    },
    [/It is not touched/, /new spec\.reset\.token/],
  ],
  [
    'a namespace that lost its permission',
    async () => {
      await served();
      world.kube.edit<BranchClass>(
        branchClassResource,
        { name: 'default' },
        ({ spec }) => void (spec.allowedNamespaces = { matchLabels: { team: 'a' } }),
      );
      await world.settle(5 * minuteMs);
    },
    [/label the namespace team=a/, /renewed until 2026-/],
  ],
  [
    'a token that cannot be renewed',
    async () => {
      await served();
      world.emulator.faults.inject({
        path: '/api/2.0/postgres/credentials',
        trouble: { kind: 'answer', status: 403, errorCode: 'PERMISSION_DENIED', message: 'no' },
      });
      await world.settle(50 * minuteMs);
    },
    [/MintFailed/, /needs CAN_USE on the project/],
  ],
];

test.each(states)('%s', async (state, begin, words) => {
  await begin();
  const text = describe();
  if (process.env['DESCRIBE']) console.log(`\n===== ${state} =====\n${text}`);
  for (const word of words) expect(text).toMatch(word);
  expect(repeated()).toEqual([]);
  expect(contradictions()).toEqual([]);
  expect(conditions().map(({ message }) => message)).toEqual(
    conditions().map(() => expect.stringMatching(/^.{20,600}$/)),
  );
  await expectStill();
});

/** Long sentences that more than one condition says, beside the pair of which tools show only one. */
function repeated(): string[] {
  const once = conditions().filter(({ type }) => type !== 'Reconciling' && type !== 'Stalled');
  const sentences = once
    .flatMap(({ message }) => [...new Set(message.split(/[.;] /))])
    .filter(({ length }) => length > 40);
  return sentences.filter((sentence, index) => sentences.indexOf(sentence) !== index);
}

/** Conditions that cannot be true at the same time. */
function contradictions(): string[] {
  const is = (type: string): string | undefined => conditions().find((each) => each.type === type)?.status;
  const notOurs = conditions().some(({ reason }) => reason === 'BranchNotOurs');
  return [
    ...(is('Ready') === 'True' && is('BranchProvisioned') !== 'True' ? ['Ready without a branch'] : []),
    ...(is('Ready') === 'True' && is('Stalled') === 'True' ? ['Ready and Stalled'] : []),
    ...(notOurs && is('BranchProvisioned') === 'True' ? ['the branch is and is not ours'] : []),
  ];
}

/** While nothing changes, the words do not change either. */
async function expectStill(): Promise<void> {
  const words = (): string[] => conditions().map(({ type, message }) => `${type}: ${message}`);
  const before = words();
  await world.settle(1000);
  expect(words()).toEqual(before);
}
