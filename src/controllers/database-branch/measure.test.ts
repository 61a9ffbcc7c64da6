import { expect, test } from 'vitest';
import {
  anIssuedSecret,
  aWorld,
  hours,
  later,
  minutes,
  now,
  object,
  type WorldChange,
} from '../../../test/builders/world.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { renewTime } from '../../credentials/plan.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import type { Measurement } from '../../metrics/measurement.ts';
import { measure } from './measure.ts';
import { done, namespaceTerminating, stale, type Outcome } from './outcome.ts';
import { waitFor, type Plan } from './plan.ts';

const secret = anIssuedSecret({ issueTime: later(-hours(1)), expireTime: later(hours(1)) });
const issue = (why: Extract<Plan, { do: 'issue' }>['why']): Plan => ({
  do: 'issue',
  why,
  binding: secret.binding,
  replaces: why === 'First' ? undefined : secret,
});
const failed: Outcome = { is: 'failed', error: new LakebaseError('unavailable', 'no') };
const deleted: WorldChange = {
  object: { ...object, metadata: { ...object.metadata, deletionTimestamp: later(-minutes(2)).toISOString() } },
};
const lateSeconds = (now.getTime() - renewTime(secret, object.metadata.uid ?? '').getTime()) / 1000;

test.each<[string, Plan, Outcome, WorldChange, Measurement[]]>([
  [
    'the first Secret ends the wait since the object was created',
    issue('First'),
    done,
    {},
    [
      { is: 'issued', reason: 'First' },
      { is: 'created', className: 'default', seconds: 300 },
    ],
  ],
  [
    'a renewal is so late as its instant is past',
    issue('RenewalDue'),
    done,
    {},
    [{ is: 'issued', reason: 'RenewalDue', lateSeconds }],
  ],
  [
    'a token that somebody asked for is not late',
    issue('RotationRequested'),
    done,
    {},
    [{ is: 'issued', reason: 'RotationRequested' }],
  ],
  ['a token that was not issued does not count', issue('RenewalDue'), failed, {}, []],
  ['nor one that somebody was faster with', issue('First'), stale, {}, []],
  [
    'the finalizer goes two minutes after the deletion',
    { do: 'release', why: 'gone' },
    done,
    deleted,
    [{ is: 'deleted', className: 'default', seconds: 120 }],
  ],
  [
    'what could not be proved is a refusal',
    waitFor(Reason.EndpointMismatch, ''),
    done,
    {},
    [{ is: 'refused', reason: 'EndpointMismatch' }],
  ],
  [
    'an end for it counts once',
    { do: 'markEnded', reason: 'TimeSkewTooLarge' },
    done,
    {},
    [{ is: 'refused', reason: 'TimeSkewTooLarge' }],
  ],
  [
    'and not while it lasts',
    waitFor(Reason.TimeSkewTooLarge, ''),
    done,
    { ended: { reason: 'TimeSkewTooLarge', time: later(0).toISOString() } },
    [],
  ],
  ['an expiry is no refusal', { do: 'markEnded', reason: 'Expired' }, done, {}, []],
  ['what passes is none', waitFor(Reason.BranchCreating, ''), done, {}, []],
  ['nor is a write into a namespace that goes', issue('First'), { is: 'refused', state: namespaceTerminating }, {}, []],
])('%s', (_what, plan, outcome, world, expected) => {
  expect(measure({ world: aWorld(world), plan, outcome, now })).toEqual(expected);
});
