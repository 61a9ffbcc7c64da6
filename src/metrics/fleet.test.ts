import { describe, expect, test } from 'vitest';
import { aBranchClass } from '../../test/builders/branch-class.ts';
import { aDatabaseBranch } from '../../test/builders/database-branch.ts';
import { aPointInTimeRestore } from '../../test/builders/point-in-time-restore.ts';
import type { Change } from '../../test/builders/merge.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { classStateOf, restoreStateOf, samplesOf, type Fleet, type Sample } from './fleet.ts';
import { stateOf } from './object-state.ts';

const second = (minute: number): number => Date.UTC(2026, 10, 25, 12, minute) / 1000;
const at = (minute: number): string => new Date(second(minute) * 1000).toISOString();

const object = (name: string, change: Change<DatabaseBranch> = {}) =>
  stateOf(aDatabaseBranch({ ...change, metadata: { name, ...change.metadata } }));
const token = (issued: number, expires: number) => ({
  credentials: {
    secretName: 's',
    username: 'u',
    issueTime: at(issued),
    expireTime: at(expires),
    renewTime: at((issued + expires) / 2),
    revision: 1,
  },
});

const fleet = (change: Partial<Fleet>): Fleet => ({ objects: [], classes: [], restores: [], ...change });
const valuesOf = (samples: readonly Sample[], metric: Sample['metric']): [Record<string, string>, number][] =>
  samples.filter((sample) => sample.metric === metric).map(({ labels, value }) => [labels, value]);

describe('what a class adds up to', () => {
  test('the earliest token is told by when it dies, is due, and has a quarter left', () => {
    const objects = [object('late', { status: token(30, 90) }), object('soon', { status: token(0, 60) })];
    const samples = samplesOf(fleet({ objects }), false);
    expect(valuesOf(samples, 'credentialExpiry')).toEqual([[{ class: 'default' }, second(60)]]);
    expect(valuesOf(samples, 'credentialRenewal')).toEqual([[{ class: 'default' }, second(30)]]);
    expect(valuesOf(samples, 'credentialQuarter')).toEqual([[{ class: 'default' }, second(45)]]);
  });

  test('a short token among long ones is the one with a quarter left first, though it dies last', () => {
    const objects = [object('long', { status: token(0, 60) }), object('short', { status: token(44, 61) })];
    expect(valuesOf(samplesOf(fleet({ objects }), false), 'credentialQuarter')).toEqual([
      [{ class: 'default' }, second(45)],
    ]);
  });

  test('a lease was extended one lease before its end; one that was cut short, before the end that was asked for', () => {
    const classes = [classStateOf(aBranchClass({ spec: { expiration: { lease: '24h' } } }))];
    const day = 24 * 60;
    const objects = [
      object('whole', { status: { expiration: { leaseTime: at(day + 10) } } }),
      object('cut', { status: { expiration: { leaseTime: at(60), clampedFrom: at(day + 5) } } }),
    ];
    const samples = samplesOf(fleet({ classes, objects }), false);
    expect(valuesOf(samples, 'leaseExtension')).toEqual([[{ class: 'default' }, second(5)]]);
    expect(valuesOf(samples, 'leaseExpiry')).toEqual([[{ class: 'default' }, second(60)]]);
  });

  test('where there is nothing there is no timestamp, but every state is counted', () => {
    const samples = samplesOf(fleet({ classes: [classStateOf(aBranchClass())] }), true);
    expect(samples.filter(({ value }) => value !== 0)).toEqual([]);
    expect(valuesOf(samples, 'databaseBranches').map(([{ state }]) => state)).toEqual([
      'ready',
      'progressing',
      'stalled',
      'ended',
      'deleting',
    ]);
  });

  test('objects of two classes are told apart, also where a class is not there', () => {
    const objects = [object('a', { status: { queue: { position: 1 } } }), object('b', { spec: { className: 'gone' } })];
    expect(valuesOf(samplesOf(fleet({ objects }), false), 'queued')).toEqual([
      [{ class: 'default' }, 1],
      [{ class: 'gone' }, 0],
    ]);
  });

  test('a class tells how full it is as its status does', () => {
    const classes = [classStateOf(aBranchClass({ status: { used: { branches: 8, limit: 9 } } }))];
    const samples = samplesOf(fleet({ classes }), false);
    expect(valuesOf(samples, 'classBranches')).toEqual([[{ class: 'default' }, 8]]);
    expect(valuesOf(samples, 'classLimit')).toEqual([[{ class: 'default' }, 9]]);
    expect(valuesOf(samples, 'classReady')).toEqual([[{ class: 'default' }, 0]]);
  });
});

test.each([
  ['running', 'Unknown'],
  ['succeeded', 'True'],
  ['failed', 'False'],
] as const)('a restore is %s when Succeeded is %s', (state, status) => {
  const condition = { type: 'Succeeded', status, reason: 'Any', message: '', lastTransitionTime: at(0) };
  const restores = [restoreStateOf(aPointInTimeRestore({ status: { conditions: [condition] } }))];
  const counted = valuesOf(samplesOf(fleet({ restores }), false), 'pointInTimeRestores');
  expect(counted.filter(([, value]) => value > 0)).toEqual([[{ state }, 1]]);
});

describe('series of objects', () => {
  const perObject = (samples: readonly Sample[]): Sample[] => samples.filter(({ labels }) => 'namespace' in labels);
  const objects = [object('a', { status: { ...token(0, 60), queue: { position: 2 } } })];

  test('are there only if they are wanted', () => {
    expect(perObject(samplesOf(fleet({ objects }), false))).toEqual([]);
    expect(perObject(samplesOf(fleet({ objects }), true)).length).toBeGreaterThan(5);
  });

  test('go with their object', () => {
    expect(perObject(samplesOf(fleet({}), true))).toEqual([]);
  });

  test('name the object and nothing else that is not a closed set or a class', () => {
    const labels = new Set(
      perObject(samplesOf(fleet({ objects }), true)).flatMap((sample) => Object.keys(sample.labels)),
    );
    expect([...labels].toSorted()).toEqual(['class', 'condition', 'name', 'namespace', 'origin', 'status']);
  });
});
