// The actions of Argo CD on a DatabaseBranch, run by its own engine: what they may be used for, and what they change.
import { beforeAll, expect, test } from 'vitest';
import { databaseBranchSchema, type DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { parseDuration } from '../../src/api/duration.ts';
import { argocdActions } from '../../scripts/generate/argocd.ts';
import { aDatabaseBranch } from '../builders/database-branch.ts';
import type { Change } from '../builders/merge.ts';
import { toolBinary } from '../tools/build.ts';
import { askArgo, buildTimeoutMs, type ArgoAnswer } from './ask.ts';

beforeAll(() => toolBinary('argocd'), buildTimeoutMs);

const hour = 3_600_000;
const day = 24 * hour;
/** Whole seconds, as the API server has them. */
const at = (ms: number): string => new Date(Math.floor((Date.now() + ms) / 1000) * 1000).toISOString();
const stamp = (ms: number): string => at(ms).replace('.000Z', 'Z');

const credentials = {
  secretName: 'database',
  username: 'app',
  issueTime: at(-hour),
  expireTime: at(hour),
  revision: 1,
};

/** Three days old, and ends in an hour unless told otherwise. */
const served = (change: Change<DatabaseBranch> = {}, expireTime = at(hour)): DatabaseBranch => {
  const object = aDatabaseBranch(change);
  object.metadata.creationTimestamp = stamp(-3 * day);
  object.status = { observedGeneration: 1, credentials, expiration: { expireTime } };
  return object;
};

async function enabled(object: DatabaseBranch): Promise<string[]> {
  const [answer] = await askArgo([{ do: 'discover', object }]);
  expect(answer?.error).toBeUndefined();
  const actions = answer?.actions ?? [];
  expect(actions.map(({ name }) => name).toSorted()).toEqual([...argocdActions].toSorted());
  return argocdActions.filter((action) => actions.some(({ name, disabled }) => name === action && !disabled));
}

async function answerTo(object: DatabaseBranch, action: string, parameters = {}): Promise<ArgoAnswer> {
  const [answer] = await askArgo([{ do: 'run', action, parameters, object }]);
  return answer ?? {};
}

async function run(object: DatabaseBranch, action: string, parameters = {}): Promise<DatabaseBranch> {
  const { object: changed, error } = await answerTo(object, action, parameters);
  expect(error).toBeUndefined();
  const after = changed as DatabaseBranch;
  // What the API server would not take is no action.
  expect(() => databaseBranchSchema.parse({ spec: after.spec })).not.toThrow();
  return after;
}

test.each<[string, DatabaseBranch, string[]]>([
  ['one that is served', served(), ['rotate', 'extend', 'reset', 'pause']],
  [
    'one that is paused',
    served({ metadata: { annotations: { 'lakebranch.dev/paused': 'all' } } }),
    ['rotate', 'extend', 'reset', 'resume'],
  ],
  ['one that never ends', served({ spec: { expiration: { never: true } } }), ['rotate', 'reset', 'pause']],
  ['one that nobody has looked at', aDatabaseBranch(), ['reset', 'pause']],
  ['one that is deleted', served({ metadata: { deletionTimestamp: stamp(0) } }), []],
])('the actions of %s', async (_which, object, names) => {
  expect(await enabled(object)).toEqual(names);
});

test('rotate writes a rotateToken that the object has not had, and nothing else', async () => {
  const before = served({ spec: { credentials: { rotateToken: 'monday' } } });
  const after = await run(before, 'rotate');
  expect(Date.parse(after.spec.credentials.rotateToken ?? '')).toBeGreaterThan(Date.now() - hour);
  expect({ ...after, spec: { ...after.spec, credentials: before.spec.credentials } }).toEqual(before);
});

const endOf = ({ metadata, spec: { expiration } }: DatabaseBranch): number =>
  expiration?.at === undefined
    ? Date.parse(metadata.creationTimestamp ?? '') + parseDuration(expiration?.ttl ?? '')
    : Date.parse(expiration.at);

test.each<[string, DatabaseBranch, 'ttl' | 'at', number]>([
  ['by the class, as a ttl', served(), 'ttl', hour + day],
  ['by a ttl, as a longer one', served({ spec: { expiration: { ttl: '73h' } } }), 'ttl', hour + day],
  ['by an instant, as a later one', served({ spec: { expiration: { at: at(hour) } } }), 'at', hour + day],
  ['in the past, as from now', served({ spec: { expiration: { at: at(-day) } } }, at(-day)), 'at', day],
])('extend moves an end that is set %s, by a day', async (_how, before, field, life) => {
  const after = await run(before, 'extend');
  // The one field that was there: the other would collide with what Git says.
  expect(Object.keys(after.spec.expiration ?? {})).toEqual([field]);
  const late = endOf(after) - (Date.now() + life);
  expect(Math.abs(late)).toBeLessThan(5 * 60_000);
  expect({ ...after, spec: { ...after.spec, expiration: undefined } }).toEqual({
    ...before,
    spec: { ...before.spec, expiration: undefined },
  });
});

test('reset asks for a fresh branch only when the name of the object confirms it', async () => {
  const before = served({ spec: { reset: { token: 'monday', strategy: 'Replace', drain: '5m' } } });
  for (const parameters of [{}, { confirm: '' }, { confirm: 'another' }]) {
    const { error } = await answerTo(before, 'reset', parameters);
    expect(error).toContain('to confirm, set the parameter confirm to database');
  }
  const after = await run(before, 'reset', { confirm: 'database' });
  expect(after.spec.reset?.token).not.toBe('monday');
  expect(after.spec.reset?.token).toMatch(/^2\d{3}-.*Z$/);
  expect({ ...after, spec: { ...after.spec, reset: before.spec.reset } }).toEqual({
    ...before,
    spec: { ...before.spec, reset: { ...before.spec.reset } },
  });
});

test('pause sets the annotation, and resume takes away whatever it says', async () => {
  const before = served({ metadata: { annotations: { other: 'stays' } } });
  const paused = await run(before, 'pause');
  expect(paused.metadata.annotations).toEqual({ other: 'stays', 'lakebranch.dev/paused': 'true' });
  const all = {
    ...paused,
    metadata: { ...paused.metadata, annotations: { 'lakebranch.dev/paused': 'all', other: 'stays' } },
  };
  expect(await run(all, 'resume')).toEqual(before);
});
