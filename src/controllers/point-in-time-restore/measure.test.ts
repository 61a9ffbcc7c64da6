import { expect, test } from 'vitest';
import { aPointInTimeRestore } from '../../../test/builders/point-in-time-restore.ts';
import { aCondition, aRestoreWorld } from '../../../test/builders/restore-world.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import type { Condition } from '../../kit/kube.ts';
import type { Measurement } from '../../metrics/measurement.ts';
import { measure } from './measure.ts';
import type { World } from './world.ts';

const said = (status: Condition['status'], reason: string, more: object = {}): PointInTimeRestore =>
  aPointInTimeRestore({ status: { conditions: [aCondition('Succeeded', status, reason, 'in words')], ...more } });
const underWay = said('Unknown', 'Restoring');
const done = said('True', 'Restored', { durationMilliseconds: 4_500, skewSeconds: 2 });
const failed = said('False', 'TimeSkewTooLarge', { durationMilliseconds: 900 });

test.each<[string, Partial<World>, PointInTimeRestore, Measurement[]]>([
  ['one that is under way adds nothing', {}, underWay, []],
  [
    'the end adds how long it took and how exact it was',
    { restore: underWay },
    done,
    [{ is: 'restored', outcome: 'Restored', seconds: 4.5, skewSeconds: 2 }],
  ],
  [
    'a bad one too',
    { restore: underWay },
    failed,
    [{ is: 'restored', outcome: 'TimeSkewTooLarge', seconds: 0.9, skewSeconds: undefined }],
  ],
  ['once', { restore: done }, done, []],
  [
    'what a backup repeats adds nothing',
    { ended: { reason: 'Restored', time: new Date('2026-09-20T00:00:00Z') } },
    done,
    [],
  ],
])('%s', (_what, part, after, expected) => {
  expect(measure(aRestoreWorld(part), after)).toEqual(expected);
});
