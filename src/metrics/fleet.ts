// The gauges that tell of objects, computed from the caches at each scrape: no series of what is gone stays behind. Pure.
import { parseDuration } from '../api/duration.ts';
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import { ConditionType } from '../api/v1alpha1/conditions.ts';
import type { PointInTimeRestore } from '../api/v1alpha1/point-in-time-restore.ts';
import { findCondition } from '../kit/conditions.ts';
import type { KeyOf, LabelOf } from './catalogue.ts';
import type { ObjectState } from './object-state.ts';
import { objectStates, restoreStates, toldConditions } from './words.ts';

/** What the caches hold. */
export interface Fleet {
  readonly objects: readonly ObjectState[];
  readonly classes: readonly ClassState[];
  readonly restores: readonly RestoreState[];
}

export interface ClassState {
  readonly name: string;
  readonly ready: boolean;
  readonly used: { readonly branches: number; readonly limit: number } | undefined;
  /** How far ahead a lease is set, in ms. */
  readonly leaseMs: number;
}

export type RestoreState = (typeof restoreStates)[number];

export const classStateOf = ({ metadata, spec, status }: BranchClass): ClassState => ({
  name: metadata.name,
  ready: findCondition(status?.conditions ?? [], ConditionType.Ready)?.status === 'True',
  used: status?.used,
  leaseMs: parseDuration(spec.expiration.lease),
});

export function restoreStateOf({ status }: PointInTimeRestore): RestoreState {
  const succeeded = findCondition(status?.conditions ?? [], ConditionType.Succeeded)?.status;
  if (succeeded === 'True') return 'succeeded';
  return succeeded === 'False' ? 'failed' : 'running';
}

type SampleOf<K extends KeyOf<'gauge'>> = K extends K
  ? { readonly metric: K; readonly labels: Readonly<Record<LabelOf<K>, string>>; readonly value: number }
  : never;
export type Sample = SampleOf<KeyOf<'gauge'>>;

/** `perObject`: also the series that each object has. */
export function samplesOf({ objects, classes, restores }: Fleet, perObject: boolean): Sample[] {
  const byClass = Map.groupBy(objects, ({ className }) => className);
  const names = new Set([...classes.map(({ name }) => name), ...byClass.keys()]);
  const known = new Map(classes.map((state) => [state.name, state]));
  return [
    ...[...names].flatMap((name) => ofClass(name, byClass.get(name) ?? [], known.get(name))),
    ...classes.flatMap(aboutClass),
    ...restoreStates.map((state): Sample => ({
      metric: 'pointInTimeRestores',
      labels: { state },
      value: restores.filter((one) => one === state).length,
    })),
    ...(perObject ? objects.flatMap(aboutObject) : []),
  ];
}

/** What the objects of a class add up to. */
function ofClass(name: string, objects: readonly ObjectState[], bclass: ClassState | undefined): Sample[] {
  const labels = { class: name };
  const credentials = objects.flatMap(({ credential }) => (credential?.renewed ? [credential] : []));
  const leases = objects.flatMap(({ lease }) => lease ?? []);
  const queued = objects.flatMap(({ queue }) => queue ?? []);
  return [
    ...counted(objects, name),
    { metric: 'unleased', labels, value: objects.filter(({ unleased }) => unleased).length },
    { metric: 'queued', labels, value: queued.length },
    ...first(
      'queueStart',
      name,
      queued.map(({ since }) => since),
    ),
    ...first(
      'progressStart',
      name,
      objects.map(({ working }) => working),
    ),
    ...first(
      'deletionStart',
      name,
      objects.map(({ deleted }) => deleted),
    ),
    ...first(
      'leaseExpiry',
      name,
      leases.map(({ expireTime }) => expireTime),
    ),
    ...first('leaseExtension', name, bclass ? leases.map(({ wanted }) => before(wanted, bclass.leaseMs)) : []),
    ...first(
      'credentialExpiry',
      name,
      credentials.map(({ expireTime }) => expireTime),
    ),
    ...first(
      'credentialRenewal',
      name,
      credentials.map(({ renewTime }) => renewTime),
    ),
    ...first(
      'credentialQuarter',
      name,
      credentials.map(({ issueTime, expireTime }) => before(expireTime, (+expireTime - +issueTime) / 4)),
    ),
  ];
}

function counted(objects: readonly ObjectState[], name: string): Sample[] {
  const reasons = Map.groupBy(objects, ({ reason }) => reason);
  const holds = (condition: string): number =>
    objects.filter(({ conditions }) => conditions.some(({ type, status }) => type === condition && status === 'True'))
      .length;
  return [
    ...objectStates.map((state): Sample => ({
      metric: 'databaseBranches',
      labels: { class: name, state },
      value: objects.filter((object) => object.state === state).length,
    })),
    ...[...reasons].flatMap(([reason, { length: value }]): Sample[] =>
      reason === undefined ? [] : [{ metric: 'notReady', labels: { class: name, reason }, value }],
    ),
    ...toldConditions.map((condition): Sample => ({
      metric: 'withCondition',
      labels: { class: name, condition },
      value: holds(condition),
    })),
  ];
}

type Timestamp =
  | 'progressStart'
  | 'queueStart'
  | 'deletionStart'
  | 'leaseExpiry'
  | 'leaseExtension'
  | 'credentialExpiry'
  | 'credentialRenewal'
  | 'credentialQuarter';

/** The earliest, if there is any. */
function first(metric: Timestamp, name: string, times: readonly (Date | undefined)[]): Sample[] {
  const known = times.flatMap((time) => (time ? [+time] : []));
  if (known.length === 0) return [];
  return [{ metric, labels: { class: name }, value: known.reduce((a, b) => Math.min(a, b)) / 1000 }];
}

const before = (time: Date, ms: number): Date => new Date(+time - ms);

function aboutClass({ name, ready, used }: ClassState): Sample[] {
  const labels = { class: name };
  const room: Sample[] = used
    ? [
        { metric: 'classBranches', labels, value: used.branches },
        { metric: 'classLimit', labels, value: used.limit },
      ]
    : [];
  return [{ metric: 'classReady', labels, value: ready ? 1 : 0 }, ...room];
}

function aboutObject(object: ObjectState): Sample[] {
  const { namespace, name, className, origin, conditions, credential, queue } = object;
  const labels = { namespace, name };
  const at = (metric: ObjectTimestamp, time: Date | undefined): Sample[] =>
    time ? [{ metric, labels, value: +time / 1000 }] : [];
  return [
    { metric: 'info', labels: { ...labels, class: className, origin }, value: 1 },
    ...conditions.map(({ type, status }): Sample => ({
      metric: 'condition',
      labels: { ...labels, condition: type, status },
      value: 1,
    })),
    ...at('created', object.created),
    ...at('expiry', object.expireTime),
    ...at('leaseTime', object.leaseTime),
    ...at('deletion', object.deleted),
    ...at('tokenIssued', credential?.issueTime),
    ...at('tokenExpiry', credential?.expireTime),
    ...at('tokenRenewal', credential?.renewTime),
    ...(queue ? [{ metric: 'queuePosition', labels, value: queue.position } as const] : []),
  ];
}

type ObjectTimestamp = 'created' | 'expiry' | 'leaseTime' | 'deletion' | 'tokenIssued' | 'tokenExpiry' | 'tokenRenewal';
