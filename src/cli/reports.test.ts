// What a person reads: tables, explanations, the doctor.
import { describe, expect, test } from 'vitest';
import { aBranchClass } from '../../test/builders/branch-class.ts';
import { aDatabaseBranch } from '../../test/builders/database-branch.ts';
import { aPointInTimeRestore } from '../../test/builders/point-in-time-restore.ts';
import type { Condition } from '../kit/kube.ts';
import { reasonCatalogue } from '../api/v1alpha1/reasons.ts';
import { rowOf } from './branch.ts';
import { explain, leadsOf } from './explain.ts';
import { judgeLease } from './operator.ts';
import { planRestore, type RestoreWords } from './plan-restore.ts';
import { reportChecks, worstOf, type Check, type Verdict } from './report-doctor.ts';
import { reportList } from './report-list.ts';
import { reportExplanation } from './report-why.ts';
import { durationMs, formatSpan } from './times.ts';

const now = new Date('2026-09-21T13:00:00Z');
const condition = (type: string, status: Condition['status'], reason: string, message = 'words'): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-09-21T12:30:00Z',
});
const with_ = (...conditions: Condition[]) => ({ status: { observedGeneration: 1, conditions } });

describe('list', () => {
  test('has a row for each, and below it the words about those that are not ready', () => {
    const ready = aDatabaseBranch({
      ...with_(condition('Ready', 'True', 'Available')),
      metadata: { annotations: { 'lakebranch.dev/paused': 'all' } },
    });
    Object.assign(ready.status!, {
      branch: { id: 'b', uid: 'u', source: { branch: 'production' } },
      expiration: { expireTime: '2026-09-23T13:00:00Z', enforcedBy: 'Operator' },
      credentials: { secretName: 's', username: 'u', issueTime: '', expireTime: '2026-09-21T13:41:00Z', revision: 1 },
    });
    const waiting = aDatabaseBranch({
      ...with_(condition('Ready', 'False', 'WaitingForBranchSlot', 'the project is full')),
      metadata: { name: 'second' },
    });
    Object.assign(waiting.status!, { queue: { position: 2 } });
    expect(reportList([ready, waiting].map(rowOf), now, false)).toBe(
      [
        'NAME      READY  STATUS                          SOURCE      EXPIRES  TOKEN     AGE',
        'database  True   Available, parked               production  in 2d*   41m left  60m',
        'second    False  WaitingForBranchSlot (place 2)  -           -        -         60m',
        '',
        'second  the project is full',
      ].join('\n'),
    );
  });
});

describe('why', () => {
  test('says each reason once, the remedy with the name, and who has to act', () => {
    const object = aDatabaseBranch(
      with_(
        condition('Ready', 'False', 'PausedByAnnotation', 'it is paused'),
        condition('Paused', 'True', 'PausedByAnnotation', 'paused'),
        condition('Stalled', 'True', 'NamespaceNotAllowed'),
        condition('BranchProvisioned', 'False', 'PausedByAnnotation', 'see Ready'),
      ),
    );
    const explained = explain('DatabaseBranch', object);
    expect(explained.steps.map(({ condition: type, reason }) => `${type} ${reason}`)).toEqual([
      'Ready PausedByAnnotation',
      'Stalled NamespaceNotAllowed',
    ]);
    const text = reportExplanation(explained, [], now);
    expect(text).toMatch(/^DatabaseBranch preview-42\/database is not ready: PausedByAnnotation\n/);
    expect(text).toContain('kubectl -n preview-42 annotate dbb database lakebranch.dev/paused-');
    expect(text).toMatch(/ {2}branch +not ok +PausedByAnnotation/);
    expect(text).toMatch(/also: Stalled=True NamespaceNotAllowed \(for 30m\)[^]*only when somebody does this/);
  });

  test('says that the operator has not seen an edit', () => {
    const object = aDatabaseBranch({ ...with_(condition('Ready', 'True', 'Available')), metadata: { generation: 2 } });
    expect(reportExplanation(explain('DatabaseBranch', object), [], now)).toMatch(
      /has not looked at the last edit yet/,
    );
    expect(leadsOf(object)).toEqual([{ to: 'operator' }]);
  });

  test('has a remedy for every reason that there is', () => {
    for (const [reason, { remedy }] of Object.entries(reasonCatalogue)) {
      const object = aDatabaseBranch(with_(condition('Ready', 'False', reason)));
      expect(explain('DatabaseBranch', object).steps[0]?.todo, remedy).toBeTruthy();
    }
  });

  test.each([
    [
      'a class that cannot be used',
      aDatabaseBranch(with_(condition('Ready', 'False', 'Unauthenticated'))),
      [{ to: 'class', name: 'default' }],
    ],
    ['nothing yet', aDatabaseBranch(), [{ to: 'operator' }]],
    [
      'the object that it forks',
      aDatabaseBranch({
        ...with_(condition('Ready', 'False', 'SourceRefNotReady')),
        spec: { source: { databaseBranchRef: { name: 'base' } } },
      }),
      [{ to: 'branch', name: 'base' }],
    ],
    [
      'the object of a restore',
      aPointInTimeRestore({
        status: {
          observedGeneration: 1,
          branchRef: { name: 'undo' },
          conditions: [condition('Ready', 'False', 'Restoring')],
        },
      }),
      [{ to: 'branch', name: 'undo' }],
    ],
    ['a class that is well', aDatabaseBranch(with_(condition('Ready', 'True', 'Available'))), []],
  ])('goes on to %s', (_what, object, leads) => {
    expect(leadsOf(object)).toEqual(leads);
  });

  test('explains a class', () => {
    const text = reportExplanation(
      explain(
        'BranchClass',
        aBranchClass(with_(condition('Ready', 'True', 'Available'), condition('Unleased', 'True', 'UnleasedBranches'))),
      ),
      [{ type: 'Warning', reason: 'LeftToLease', message: 'branch b', time: '2026-09-21T12:00:00Z', count: 3 }],
      now,
    );
    expect(text).toMatch(/^BranchClass default is ready: Available\n/);
    expect(text).toMatch(/also: Unleased=True/);
    expect(text).toMatch(/60m ago +Warning +LeftToLease \(x3\) +branch b/);
  });
});

describe('the operator', () => {
  const lease = (spec: object) => ({ metadata: { namespace: 'lakebranch-system', name: 'lakebranch' }, spec });
  test.each([
    ['leads', { holderIdentity: 'pod-0', renewTime: '2026-09-21T12:59:58Z' }, 'running', /pod-0 leads/],
    ['has died', { holderIdentity: 'pod-0', renewTime: '2026-09-21T12:50:00Z' }, 'away', /has not renewed it for 10m/],
    ['was stopped', { holderIdentity: '', renewTime: '2026-09-21T12:59:58Z' }, 'away', /nobody holds the Lease/],
    ['never renewed', { holderIdentity: 'pod-0' }, 'away', /has not renewed it\./],
  ])('%s', (_what, spec, verdict, words) => {
    const seen = judgeLease(lease(spec), now);
    expect(seen.verdict).toBe(verdict);
    expect(seen.message).toMatch(words);
  });
});

describe('doctor', () => {
  const check = (verdict: Verdict): Check => ({ part: 'Part', name: verdict, verdict, message: 'words' });
  test.each<[Verdict[], Verdict]>([
    [['ok', 'ok'], 'ok'],
    [['ok', 'unknown'], 'unknown'],
    [['unknown', 'warning', 'ok'], 'warning'],
    [['warning', 'wrong', 'unknown'], 'wrong'],
    [[], 'ok'],
  ])('the worst of %j is %s', (verdicts, worst) => {
    expect(worstOf(verdicts.map(check))).toBe(worst);
  });

  test('counts at the end', () => {
    expect(reportChecks([check('ok'), check('wrong')])).toBe(
      'Part\n  ok       ok: words\n  WRONG    wrong: words\n\n2 checks: 1 wrong, 0 to look at, 0 that could not be told.',
    );
  });
});

describe('restore', () => {
  const words = (change: Partial<RestoreWords>): RestoreWords => ({
    source: 'production',
    time: undefined,
    ago: undefined,
    lsn: undefined,
    className: undefined,
    name: undefined,
    ttl: undefined,
    maxSkew: undefined,
    ...change,
  });
  test.each([
    [{ ago: '90m' }, { source: { branch: 'production' }, target: { ago: '1h30m' } }],
    [
      { time: '2026-09-21T12:00:00Z', className: 'qa' },
      { source: { branch: 'production', className: 'qa' }, target: { time: '2026-09-21T12:00:00Z' } },
    ],
    [
      { source: 'dbb/base', lsn: '0/1A' },
      { source: { databaseBranchRef: { name: 'base' } }, target: { lsn: '0/1A' } },
    ],
    [
      { ago: '1h', ttl: '1d', maxSkew: '5m' },
      {
        source: { branch: 'production' },
        target: { ago: '1h' },
        maxSkew: '5m',
        branchTemplate: { spec: { expiration: { ttl: '24h' } } },
      },
    ],
  ])('%j', (change, spec) => {
    expect(planRestore(words(change), now)).toMatchObject({ name: 'restore-20260921-130000', spec });
  });
  test('of an object needs no class', () => {
    expect(() => planRestore(words({ source: 'dbb/base', ago: '1h', className: 'x' }), now)).toThrow(
      /has its class already/,
    );
  });
});

test.each([
  [12_000, '12s'],
  [119_000, '119s'],
  [41 * 60_000, '41m'],
  [150 * 60_000, '2h30m'],
  [23 * 3_600_000, '23h'],
  [3 * 86_400_000, '3d'],
  [50 * 3_600_000, '2d2h'],
])('%d ms are %s', (ms, text) => {
  expect(formatSpan(ms)).toBe(text);
});

test.each([
  ['2d', 172_800_000],
  ['1d12h', 129_600_000],
  ['90m', 5_400_000],
])('%s is %d ms', (text, ms) => {
  expect(durationMs('by', text)).toBe(ms);
});
test.each(['', '3', '0s', '1w', '-1h'])('%j is no duration', (text) => {
  expect(() => durationMs('by', text)).toThrow('--by');
});
