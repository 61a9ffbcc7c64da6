// The laws about a world at rest must be able to convict: each object is shown with and without what explains it.
import { beforeEach, describe, expect, test } from 'vitest';
import { branchClassResource, databaseBranchResource, namespaceResource } from '../../src/api/names.ts';
import type { BranchFacts } from '../../src/emulator/emulator.ts';
import type { KubeObject, ResourceType } from '../../src/kit/kube.ts';
import { branchId, endedMark } from '../../src/lakebase/ids.ts';
import { Ledger } from './ledger.ts';
import { unsettled } from './settled.ts';

const clusterID = 'cluster';
const now = new Date('2026-11-25T10:30:00Z');

let ledger: Ledger;
let present: Map<string, KubeObject>;
let revision = 1;

const placeOf = ({ plural }: ResourceType, key: string): string => `${plural} ${key}`;
const history = {
  all: <T extends KubeObject>({ plural }: ResourceType): T[] =>
    [...present].flatMap(([key, object]) => (key.startsWith(`${plural} `) ? [object as T] : [])),
  get: <T extends KubeObject>(type: ResourceType, key: string): T | undefined =>
    present.get(placeOf(type, key)) as T | undefined,
};

const condition = (type: string, status: string, reason: string): object => ({ type, status, reason, message: 'x' });

interface Shown {
  readonly name?: string;
  readonly reason: string;
  readonly annotations?: Record<string, string>;
  readonly spec?: object;
  readonly status?: object;
}

function show({ name = 'ann', reason, annotations = {}, spec = {}, status = {} }: Shown): void {
  const ready = condition('Ready', reason === 'Available' ? 'True' : 'False', reason);
  const object = {
    metadata: {
      namespace: 'ns',
      name,
      uid: `uid-${name}`,
      generation: 1,
      creationTimestamp: '2026-11-25T10:00:00Z',
      annotations,
    },
    spec: { className: 'shop', credentials: {}, ...spec },
    status: { observedGeneration: 1, conditions: [ready], ...status },
  } as unknown as KubeObject;
  present.set(placeOf(databaseBranchResource, `ns/${name}`), object);
  const key = `ns/${name}`;
  ledger.note({ revision: revision++, at: 0, type: databaseBranchResource, key, object, before: undefined });
}

function showClass(limits: object = {}, allow: readonly string[] = ['production']): void {
  const spec = {
    provider: { project: 'shop' },
    sources: { allow, default: 'production' },
    expiration: { default: '72h', max: '336h' },
    limits,
  };
  present.set(placeOf(branchClassResource, 'shop'), { metadata: { name: 'shop' }, spec } as unknown as KubeObject);
}

function showNamespace(labels: Record<string, string> = { preview: 'true' }): void {
  present.set(placeOf(namespaceResource, 'ns'), { metadata: { name: 'ns', labels } });
}

const aBranch = (name: string, resetToken = '', change: object = {}): BranchFacts =>
  ({
    id: branchId({ clusterID, namespace: 'ns', name, uid: `uid-${name}`, resetToken }),
    uid: `br-${name}-${resetToken}`,
    project: 'shop',
    state: 'READY',
    deleting: false,
    source: { id: 'production' },
    endpoints: {},
    roles: {},
    ...change,
  }) as unknown as BranchFacts;

const verdict = (): string[] => unsettled(history, ledger, now).map((each) => each.split('\n')[0] ?? '');
const convicted = (words: string): void => expect(verdict()).toEqual([expect.stringContaining(words)]);

beforeEach(() => {
  ledger = new Ledger();
  ledger.clusterID = clusterID;
  present = new Map();
  showClass();
  showNamespace();
});

interface Case {
  readonly shown: Shown;
  /** Makes true what the object says. */
  readonly explain: () => void;
}

const other = { name: 'bob', reason: 'PausedByAnnotation', annotations: { 'lakebranch.dev/paused': 'true' } };
const holding = { status: { branch: { uid: 'br-bob-' } } };

const cases: Record<string, Case> = {
  NamespaceNotAllowed: { shown: { reason: 'NamespaceNotAllowed' }, explain: () => showNamespace({}) },
  SourceNotAllowed: { shown: { reason: 'SourceNotAllowed' }, explain: () => showClass({}, ['staging']) },
  PausedByAnnotation: {
    shown: { reason: 'PausedByAnnotation' },
    explain: () => show({ reason: 'PausedByAnnotation', annotations: { 'lakebranch.dev/paused': 'all' } }),
  },
  ResetTokenReused: {
    shown: { reason: 'ResetTokenReused' },
    explain: () => ledger.noteBranches([aBranch('ann', '', { state: 'DELETED' })]),
  },
  NamespaceLimitReached: {
    shown: { reason: 'NamespaceLimitReached' },
    explain() {
      showClass({ perNamespace: 1 });
      show({ ...other, ...holding });
    },
  },
  ClassLimitReached: {
    shown: { reason: 'ClassLimitReached' },
    explain() {
      showClass({ total: 2, reserve: 1 });
      show({ ...other, ...holding });
    },
  },
  WaitingForBranchSlot: {
    shown: { reason: 'WaitingForBranchSlot' },
    explain: () => ledger.noteBranches(Array.from({ length: 10 }, (_, index) => aBranch(`b${index}`))),
  },
};

describe.each(Object.entries(cases))('an object that is not Ready for %s', (reason, { shown, explain }) => {
  test('is convicted where nothing is so', () => {
    show(shown);
    convicted(`not Ready for ${reason}, which nothing explains`);
  });

  test('is settled where it is so', () => {
    show(shown);
    explain();
    expect(verdict()).toEqual([]);
  });
});

test('two that wait for each other under a limit are convicted both', () => {
  showClass({ perNamespace: 1 });
  for (const name of ['ann', 'bob']) show({ name, reason: 'NamespaceLimitReached' });
  expect(verdict()).toHaveLength(2);
});

test('an edit that is not answered is convicted', () => {
  show({ reason: 'NamespaceNotAllowed', status: { observedGeneration: 0 } });
  convicted('the status answers to generation 0');
});

describe('what an object leaves at the provider', () => {
  const end = (reason: string): Record<string, string> => ({ 'lakebranch.dev/ended': `${endedMark('')}/${reason}/x` });

  test('a branch of one that has ended', () => {
    show({ reason: 'Expired', annotations: end('Expired'), spec: { expiration: { ttl: '10m' } } });
    expect(verdict()).toEqual([]);
    ledger.noteBranches([aBranch('ann')]);
    convicted('its branch');
  });

  test('one that nobody deleted did not end by a deletion', () => {
    show({ reason: 'DeletedExternally', annotations: end('DeletedExternally') });
    convicted('not Ready for DeletedExternally');
  });

  test.each([
    ['on record', { superseded: [{ id: 'x', uid: 'br-ann-' }] }, 3_600_000],
    ['on no record', {}, 5 * 86_400_000],
  ])('a branch that was given up, is %s and has no near end', (_where, status, tooLong) => {
    showNamespace({});
    const branch = { uid: 'br-ann-1' };
    const spec = { reset: { token: '1' } };
    show({ reason: 'NamespaceNotAllowed', spec, status: { ...status, branch } });
    const given = (aheadMs: number): BranchFacts => aBranch('ann', '', { expiresAt: now.getTime() + aheadMs });
    ledger.noteBranches([given(120_000)]);
    expect(verdict()).toEqual([]);
    ledger.noteBranches([given(tooLong)]);
    convicted('is neither served nor wanted');
  });
});

test('Ready without a Secret', () => {
  show({ reason: 'Available' });
  convicted('its Secret is missing');
});
