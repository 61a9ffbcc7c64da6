import { expect, test } from 'vitest';
import { aPointInTimeRestore } from '../../../test/builders/point-in-time-restore.ts';
import { aCondition, aRestoreWorld, restoreNow, served, theBranchOf } from '../../../test/builders/restore-world.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import type { Condition } from '../../kit/kube.ts';
import { announce } from './announce.ts';
import type { World } from './world.ts';

const said = (status: Condition['status'], reason: string): PointInTimeRestore =>
  aPointInTimeRestore({ status: { conditions: [aCondition('Succeeded', status, reason, 'in words')] } });
const done = said('True', 'Restored');
const failed = said('False', 'TimeSkewTooLarge');
const underWay = said('Unknown', 'Restoring');
const ours: World['target'] = { is: 'ours', object: theBranchOf(aPointInTimeRestore(), { status: served() }) };
const told = (part: Partial<World>, after: PointInTimeRestore, created = false): string[] =>
  announce(aRestoreWorld(part), after, created).map(
    ({ type, reason, action, note }) => `${type} ${reason} (${action}): ${note}`,
  );

const howTo = `psql "$(kubectl get secret -n preview-42 undo -o jsonpath='{.data.uri}' | base64 -d)"`;
const goodNews = `Normal Restored (Restore): in words. To look into it: ${howTo}`;
const badNews = 'Warning RestoreFailed (Restore): in words';

test.each<[sentence: string, Partial<World>, after: PointInTimeRestore, expected: string[]]>([
  ['nothing is said of what is under way', {}, underWay, []],
  ['nor of what has no status yet', {}, aPointInTimeRestore({ status: undefined }), []],
  ['the end is told, with how to use it', { restore: underWay, target: ours }, done, [goodNews]],
  ['also where nothing was said before', { restore: aPointInTimeRestore({ status: undefined }) }, failed, [badNews]],
  ['but not the beginning', { restore: aPointInTimeRestore({ status: undefined }) }, underWay, []],
  ['an end that is taken back is told when it comes again', { restore: failed }, underWay, []],
  ['once', { restore: done, target: ours }, done, []],
  ['also a bad one', { restore: failed }, failed, []],
  ['without its object there is nothing to use', {}, done, ['Normal Restored (Restore): in words']],
  ['in a namespace that goes nothing can be told', { namespace: { labels: {}, terminating: true } }, done, []],
  [
    'what a backup repeats is no news',
    { ended: { reason: 'Restored', time: new Date('2026-09-20T00:00:00Z') } },
    done,
    [],
  ],
  [
    'nor what ended before any clock could call it created',
    { ended: { reason: 'Restored', time: new Date('2026-09-21T11:58:59.999Z') }, target: ours },
    done,
    [],
  ],
  ['what just ended is', { ended: { reason: 'Restored', time: restoreNow }, target: ours }, done, [goodNews]],
  [
    'also by clocks that differ by a minute',
    { ended: { reason: 'Restored', time: new Date('2026-09-21T11:59:00Z') }, target: ours },
    done,
    [goodNews],
  ],
])('%s', (_sentence, part, after, expected) => {
  expect(told(part, after)).toEqual(expected);
});

test.each<[PointInTimeRestore['spec']['target'], PointInTimeRestore['spec']['source'], string]>([
  [{ time: '2026-09-21T11:59:02Z' }, { branch: 'production' }, 'production as of 2026-09-21T11:59:02.000Z'],
  [{ lsn: '0/1A' }, { databaseBranchRef: { name: 'db' } }, 'DatabaseBranch db at 0/1A'],
])('the beginning of %o', (target, source, expected) => {
  const restore = aPointInTimeRestore();
  const after = { ...underWay, spec: { ...restore.spec, target, source } };
  expect(told({}, after, true)).toEqual([
    `Normal RestoreStarted (CreateDatabaseBranch): made DatabaseBranch undo, which asks for ${expected}`,
  ]);
});
