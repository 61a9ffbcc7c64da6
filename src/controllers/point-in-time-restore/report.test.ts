import { describe, expect, test } from 'vitest';
import type { Change } from '../../../test/builders/merge.ts';
import { aPointInTimeRestore } from '../../../test/builders/point-in-time-restore.ts';
import {
  aCondition,
  aRestoreWorld,
  aRestoringClass,
  restoreNow as now,
  served,
  theBranchOf,
} from '../../../test/builders/restore-world.ts';
import { expectLawfulStatus, kstatusOf } from '../../../test/kstatus.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore, PointInTimeRestoreStatus } from '../../api/v1alpha1/point-in-time-restore.ts';
import { annotationKey } from '../../api/names.ts';
import { endedMark } from '../../lakebase/ids.ts';
import { endedState } from './report-end.ts';
import { report } from './report.ts';
import type { Ended, State } from './plan.ts';
import type { World } from './world.ts';

const later = new Date('2026-09-21T12:00:04.750Z');
const ours = (restore: PointInTimeRestore, actualTime?: string): World['target'] => ({
  is: 'ours',
  object: theBranchOf(restore, { status: served(actualTime) }),
});

/** The status of a restore that is over. */
function over(part: Partial<World>, reason: Ended['reason'] = 'Restored'): PointInTimeRestoreStatus {
  const ended: Ended = { reason, time: later };
  const world = aRestoreWorld({ ended, ...part });
  return report(world, endedState(world, world.ended ?? ended), later);
}

const messageOf = ({ conditions = [] }: PointInTimeRestoreStatus): string =>
  conditions.find(({ type }) => type === 'Succeeded')?.message ?? '';

describe('conditions', () => {
  test.each<[State, expected: string[], kstatus: string]>([
    [{ is: 'restored', message: 'm' }, ['Ready=True Restored', 'Succeeded=True Restored'], 'Current'],
    [
      { is: 'failed', reason: 'TimeSkewTooLarge', message: 'm' },
      ['Ready=False TimeSkewTooLarge', 'Stalled=True TimeSkewTooLarge', 'Succeeded=False TimeSkewTooLarge'],
      'Failed',
    ],
    [
      { is: 'stalled', reason: 'TargetExists', message: 'm' },
      ['Ready=False TargetExists', 'Stalled=True TargetExists', 'Succeeded=Unknown TargetExists'],
      'Failed',
    ],
    [
      { is: 'underWay', reason: 'Restoring', message: 'm' },
      ['Ready=False Restoring', 'Reconciling=True Restoring', 'Succeeded=Unknown Restoring'],
      'InProgress',
    ],
  ])('%o', (state, expected, kstatus) => {
    // Whatever was said before.
    for (const before of ['underWay', 'stalled'] as const) {
      const reason = before === 'stalled' ? 'ClassNotFound' : 'Restoring';
      const restore = aPointInTimeRestore();
      const first = { ...restore, status: report(aRestoreWorld(), { is: before, reason, message: 'm' }, now) };
      const second = { ...restore, status: report(aRestoreWorld({ restore: first }), state, later) };
      expect(second.status.conditions?.map(({ type, status, reason: why }) => `${type}=${status} ${why}`)).toEqual(
        expected,
      );
      expectLawfulStatus(second, first);
      expect(kstatusOf(second)).toBe(kstatus);
    }
  });
});

describe('what was asked for and what was made', () => {
  test.each<[sentence: string, requested: string, actual: string | undefined, skew: number | undefined, words: RegExp]>(
    [
      [
        'less than a second counts as one',
        '2026-09-21T11:59:02Z',
        '2026-09-21T11:59:01.999Z',
        1,
        /11:59:01\.999Z, 1 s before/,
      ],
      ['whole seconds stay', '2026-09-21T11:59:02Z', '2026-09-21T11:58:50.000Z', 12, /12 s before/],
      [
        'the instant itself is not verified',
        '2026-09-21T11:59:02Z',
        '2026-09-21T11:59:02.000Z',
        undefined,
        /not verified/,
      ],
      [
        'nor is what was sent for a whole minute',
        '2026-09-21T11:59:00Z',
        '2026-09-21T11:58:59.999Z',
        undefined,
        /not verified/,
      ],
      ['nor is a whole minute itself', '2026-09-21T11:59:00Z', '2026-09-21T11:59:00.000Z', undefined, /not verified/],
      ['which is a millisecond and no more', '2026-09-21T11:59:00Z', '2026-09-21T11:58:59.998Z', 1, /1 s before/],
      ['nothing is known', '2026-09-21T11:59:02Z', undefined, undefined, /does not say what it made/],
    ],
  )('%s', (_sentence, time, actual, skew, words) => {
    const restore = aPointInTimeRestore({ spec: { target: { time } } });
    const status = over({ restore, target: ours(restore, actual) });
    expect(status.requestedTime).toBe(new Date(time).toISOString());
    expect(status.actualTime).toBe(actual);
    expect(status.skewSeconds).toBe(skew);
    expect(status.branchRef).toEqual({ name: 'undo' });
    expect(messageOf(status)).toMatch(words);
    expect(messageOf(status)).toMatch(/its login is in Secret undo$/);
  });

  test('a position of the log has no instant', () => {
    const restore = aPointInTimeRestore({ spec: { target: { time: undefined, lsn: '0/1A' } } });
    const object = theBranchOf(restore, {
      status: { ...served(), restored: { requestedLSN: '0/1A', actualLSN: '0/19' } },
    });
    const status = over({ restore, target: { is: 'ours', object } });
    expect(status).not.toHaveProperty('requestedTime');
    expect(status.actualLSN).toBe('0/19');
    expect(messageOf(status)).toMatch(/holds the source at 0\/19; its login/);
    const missed = over({ restore, target: { is: 'ours', object } }, 'TimeSkewTooLarge');
    expect(messageOf(missed)).toMatch(
      /source at 0\/1A, the provider made it at 0\/19;.*with a position at or after that$/,
    );
    expect(messageOf(over({ restore, target: ours(restore) }))).toMatch(/does not say which it reached/);
    expect(messageOf(over({ restore, target: ours(restore) }, 'TimeSkewTooLarge'))).toMatch(
      /source at 0\/1A, the provider made it as of an instant that is not known;/,
    );
  });

  test('a position of the log that is too far back is told with its instant', () => {
    const restore = aPointInTimeRestore({ spec: { target: { time: undefined, lsn: '0/1A' } } });
    const target = ours(restore, '2026-09-01T12:00:00.000Z');
    const status = over({ restore, target }, 'RestoreWindowExceeded');
    expect(status).toMatchObject({ actualTime: '2026-09-01T12:00:00.000Z' });
    expect(status).not.toHaveProperty('skewSeconds');
    expect(messageOf(status)).toMatch(/^0\/1A is the source as of 2026-09-01T12:00:00\.000Z, further back than/);
    expect(messageOf(over({ restore, target: ours(restore) }, 'RestoreWindowExceeded'))).toMatch(
      /^0\/1A is the source as of an instant that is not known, /,
    );
  });

  test('too far off is told with both instants, also where it lies after the one that was asked for', () => {
    const restore = aPointInTimeRestore();
    const far = over({ restore, target: ours(restore, '2026-09-21T11:40:00.000Z') }, 'TimeSkewTooLarge');
    expect(far.skewSeconds).toBe(19 * 60 + 2);
    expect(messageOf(far)).toMatch(
      /as of 2026-09-21T11:59:02\.000Z.*as of 2026-09-21T11:40:00\.000Z;.*with an instant nearer to that, or a larger maxSkew$/,
    );
    const after = over({ restore, target: ours(restore, '2026-09-21T11:59:02.400Z') }, 'TimeSkewTooLarge');
    expect(after.skewSeconds).toBe(-1);
  });

  test('ago counts from the creation, but not in an object that comes from a backup', () => {
    const target = { time: undefined, ago: '15m' };
    const restore = aPointInTimeRestore({ spec: { target } });
    expect(over({ restore, target: ours(restore) }).requestedTime).toBe('2026-09-21T11:45:00.000Z');
    const copy = aPointInTimeRestore({ metadata: { creationTimestamp: '2026-09-23T12:00:00Z' }, spec: { target } });
    expect(over({ restore: copy })).not.toHaveProperty('requestedTime');
    expect(messageOf(over({ restore: copy }, 'TimeSkewTooLarge'))).toMatch(/source as of an instant, the/);
    expect(messageOf(over({ restore: copy }, 'RestoreWindowExceeded'))).toMatch(
      /too long ago, or before its source was made: create another/,
    );
    const instant = aPointInTimeRestore({ metadata: { creationTimestamp: '2026-09-23T12:00:00Z' } });
    expect(over({ restore: instant }).requestedTime).toBe('2026-09-21T11:59:02.000Z');
  });
});

describe('times', () => {
  test('it answers to the generation that it saw', () => {
    const restore = aPointInTimeRestore({ metadata: { generation: 2 } });
    expect(over({ restore })).toMatchObject({ observedGeneration: 2 });
  });

  test('the window and the start are those of the first look, and stay', () => {
    const world = aRestoreWorld();
    const state: State = { is: 'underWay', reason: 'Restoring', message: 'm' };
    const first = report(world, state, now);
    const expected = {
      startTime: now.toISOString(),
      window: { earliest: '2026-09-14T12:00:00.250Z', latest: now.toISOString() },
    };
    expect(first).toMatchObject(expected);
    expect(first).not.toHaveProperty('completionTime');
    const bclass = { is: 'known', value: aRestoringClass({ spec: { restore: { maxAge: '1h' } } }) } as const;
    const second = report({ ...world, bclass, restore: { ...world.restore, status: first } }, state, later);
    expect(second).toMatchObject(expected);
    const without = { is: 'known', value: aRestoringClass({ spec: { restore: undefined } }) } as const;
    expect(report({ ...world, bclass: without }, state, now)).not.toHaveProperty('window');
  });

  test('the end and how long it took', () => {
    const restore = aPointInTimeRestore({ status: { startTime: now.toISOString() } });
    expect(over({ restore, target: ours(restore) })).toMatchObject({
      completionTime: later.toISOString(),
      durationMilliseconds: 4500,
    });
  });

  test.each([
    ['within a moment', 0],
    ['and by a clock that was put back meanwhile', 1],
  ])('the end takes no less than no time: %s', (_sentence, laterMs) => {
    const startTime = new Date(later.getTime() + laterMs).toISOString();
    const restore = aPointInTimeRestore({ status: { startTime } });
    expect(over({ restore })).toMatchObject({ durationMilliseconds: 0 });
  });

  test('where the status was lost, the object tells when it began', () => {
    const restore = aPointInTimeRestore();
    expect(over({ restore, target: ours(restore) })).toMatchObject({
      startTime: '2026-09-21T12:00:01.000Z',
      durationMilliseconds: 3750,
    });
  });

  test.each<[sentence: string, Partial<Ended>, has: string[]]>([
    ['of one that is over nothing else does', { time: later }, ['completionTime']],
    ['and of one whose mark was edited nothing at all', {}, []],
  ])('%s', (_sentence, time, has) => {
    const status = over({ ended: { reason: 'Restored', ...time } });
    expect(Object.keys(status).filter((key) => /Time$|duration/.test(key) && key !== 'requestedTime')).toEqual(has);
    expect(status).not.toHaveProperty('window');
  });
});

describe('what is said of an end', () => {
  const marked = (token: string): Change<DatabaseBranch> => ({
    metadata: { annotations: { [annotationKey.ended]: `${endedMark(token)}/Expired/2026-09-21T12:00:05.000Z` } },
  });

  /** The object has said so. */
  const says = (type: string, reason: string): Partial<World> => {
    const conditions = [aCondition(type, 'True', reason, 'the provider says no')];
    return { target: { is: 'ours', object: theBranchOf(aPointInTimeRestore(), { status: { conditions } }) } };
  };

  test.each<[string, World['target'], RegExp]>([
    ['it goes', { is: 'ours', object: theBranchOf(aPointInTimeRestore()) }, /undo was deleted before/],
    [
      'it ended',
      { is: 'ours', object: theBranchOf(aPointInTimeRestore(), marked('')) },
      /undo ended \(Expired\) before/,
    ],
    [
      'it ended after a reset',
      {
        is: 'ours',
        object: theBranchOf(aPointInTimeRestore(), { ...marked('1'), spec: { reset: { token: '1' } } }),
      },
      /undo ended \(Expired\) before/,
    ],
    ['another has its place', { is: 'foreign', object: theBranchOf(aPointInTimeRestore()) }, /gone or was changed/],
  ])('its object: %s', (_sentence, target, words) => {
    expect(messageOf(over({ target }, 'RestoredBranchGone'))).toMatch(words);
  });

  test.each<[Ended['reason'], Partial<World>, RegExp]>([
    ['Restored', {}, /is done; its DatabaseBranch undo is not there any more/],
    ['RestoredBranchGone', {}, /DatabaseBranch undo was deleted before it was ready\. If the data is still needed/],
    ['RestoreSourceNotFound', {}, /did not exist\. If the data is still needed/],
    ['CreateRefused', {}, /the provider refused to make the past that was asked for: create another restore/],
    [
      'TimeSkewTooLarge',
      {},
      /as of 2026-09-21T11:59:02\.000Z, the provider made it as of an instant that is not known; the branch/,
    ],
    [
      'RestoreTimeInFuture',
      { restore: aPointInTimeRestore({ spec: { target: { time: '2026-09-21T13:00:00Z' } } }) },
      /13:00:00\.000Z has not come yet, it is 2026-09-21T12:00:04\.750Z/,
    ],
    [
      'RestoreWindowExceeded',
      { restore: aPointInTimeRestore({ spec: { target: { time: '2026-09-01T13:00:00Z' } } }) },
      /too long ago: the earliest is 2026-09-14T12:00:04\.750Z.*Create another restore$/,
    ],
    [
      'RestoreWindowExceeded',
      { bclass: { is: 'unknown', name: 'x' } },
      /too long ago, or before its source was made: create another restore with a later one/,
    ],
    ['RestoreTimeInFuture', { bclass: { is: 'unknown', name: 'x' } }, /had not come yet/],
    // Of a mark that somebody edited nobody knows how things stood then.
    ['RestoreWindowExceeded', { ended: { reason: 'RestoreWindowExceeded' } }, /^the instant was too long ago, or/],
    ['CreateRefused', says('Stalled', 'CreateRefused'), /^the provider says no$/],
    ['CreateRefused', says('Stalled', 'ClassNotFound'), /^the provider refused to make the past/],
    ['CreateRefused', says('Ready', 'CreateRefused'), /^the provider refused to make the past/],
    [
      'CreateRefused',
      { target: { is: 'ours', object: theBranchOf(aPointInTimeRestore(), { status: undefined }) } },
      /^the provider refused to make the past/,
    ],
    ['Restored', { restore: aPointInTimeRestore({ status: undefined }) }, /is done; its DatabaseBranch undo/],
  ])('%s', (reason, part, words) => {
    expect(messageOf(over(part, reason))).toMatch(words);
  });

  test('what was said once stands, though what it was said of has changed since', () => {
    const restore = aPointInTimeRestore();
    const first = over({ restore, target: ours(restore, '2026-09-21T11:59:01.000Z') });
    const second = over({ restore: { ...restore, status: first } });
    expect(second).toEqual(first);
    expect(messageOf(over({ restore: { ...restore, status: first } }, 'RestoredBranchGone'))).toMatch(/was deleted/);
  });
});
