// What the provider's trouble is called, whether a person has to end it, and when it is tried again.
import { expect, test } from 'vitest';
import { told } from '../../../test/builders/plan.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { LakebaseError, type LakebaseErrorDetails, type LakebaseErrorCode } from '../../lakebase/errors.ts';
import type { Identity } from '../identities.ts';
import { available, hold, stall, standsAside, trouble, waitFor, writeRefused } from './plan.ts';

const error = (code: LakebaseErrorCode, details: LakebaseErrorDetails = {}) =>
  new LakebaseError(code, 'its words', details);

test.each<[string, LakebaseError, string]>([
  ['a credential that is not accepted is for a person', error('unauthenticated'), 'stalled Unauthenticated, 10 s'],
  [
    'also one of the cluster',
    error('unauthenticated', { subjectToken: 'notAccepted' }),
    'stalled FederationPolicyMismatch, 10 s',
  ],
  [
    'or one that is not there',
    error('unauthenticated', { subjectToken: 'notFound' }),
    'stalled WorkloadTokenNotFound, 10 s',
  ],
  ['or too old', error('unauthenticated', { subjectToken: 'expired' }), 'stalled WorkloadTokenExpired, 10 s'],
  ['or not for it', error('unauthenticated', { subjectToken: 'unusable' }), 'stalled WorkloadTokenUnusable, 10 s'],
  ['so is a lacking permission', error('denied'), 'stalled PermissionDenied, 10 s'],
  ['and a project that is not there', error('notFound'), 'stalled ProjectNotFound, 10 s'],
  ['and a request that will never be taken', error('invalid'), 'stalled RequestRefused, 10 s'],
  ['too many requests pass by themselves', error('throttled'), 'wait ProviderThrottled, 10 s'],
  ['a server error too', error('unavailable'), 'wait ProviderUnavailable, 10 s'],
  ['another change is soon over', error('conflict'), 'wait ProviderConflict, 2 s'],
  ['also if it makes what we ask for', error('exists'), 'wait ProviderConflict, 2 s'],
  ['or sooner, if the provider says so', error('conflict', { retryAfterMs: 1500 }), 'wait ProviderConflict, 1500 ms'],
  ['silence is an outage', error('unreachable'), 'wait ProviderUnreachable, 10 s'],
  [
    'a name that is not resolved is told apart',
    error('unreachable', { unreachable: 'dns' }),
    'wait ProviderHostUnknown, 10 s',
  ],
  ['and a certificate', error('unreachable', { unreachable: 'tls' }), 'wait ProviderTLSFailed, 10 s'],
  ['and a proxy', error('unreachable', { unreachable: 'proxy' }), 'wait ProviderProxyFailed, 10 s'],
  [
    'the provider may say when to come again',
    error('throttled', { retryAfterMs: 3000 }),
    'wait ProviderThrottled, 3 s',
  ],
  ['but nobody comes again at once', error('unauthenticated', { retryAfterMs: 0 }), 'stalled Unauthenticated, 1 s'],
  [
    'a quota is no bad request',
    error('invalid', { providerCode: 'QUOTA_EXCEEDED', retryAfterMs: 3000 }),
    'wait QuotaExceeded, 3 s',
  ],
  ['by whatever name', error('denied', { providerCode: 'RESOURCE_LIMIT_EXCEEDED' }), 'wait QuotaExceeded, 10 s'],
  [
    'a limit of requests is none',
    error('throttled', { providerCode: 'REQUEST_LIMIT_EXCEEDED' }),
    'wait ProviderThrottled, 10 s',
  ],
  [
    'nor is what only begins like one',
    error('invalid', { providerCode: 'LIMIT_EXCEEDED_BY_NAME' }),
    'stalled RequestRefused, 10 s',
  ],
])('%s', (_sentence, given, expected) => expect(told(trouble(given))).toBe(expected));

test.each<[string, LakebaseError, Identity | undefined, readonly string[]]>([
  [
    'unless said, it is the manager that lacks a right',
    error('denied'),
    undefined,
    ['spec.provider.auth', 'CAN_MANAGE'],
  ],
  ['the login needs less', error('denied'), 'login', ['spec.login.auth', 'CAN_USE']],
  ['its credential is another', error('unauthenticated'), 'login', ['spec.login.auth']],
  [
    'its token is exchanged for itself',
    error('unauthenticated', { subjectToken: 'notAccepted' }),
    'login',
    ['spec.login.auth', 'federation policy'],
  ],
  ["the provider's own words are shown", error('notFound'), undefined, ['its words']],
  ['on silence the way is what to check', error('unreachable'), undefined, ['spec.provider.host']],
])('%s', (_sentence, given, who, words) => {
  for (const word of words) expect(trouble(given, who).message).toContain(word);
});

const problem = { reason: 'SourceNotAllowed', message: 'm' } as const;

test.each([
  ['a problem is for a person', hold(problem), 'stalled SourceNotAllowed'],
  ['unless it passes', hold({ ...problem, passes: true }), 'wait SourceNotAllowed'],
  ['what stalls is for a person', stall(problem), 'stalled SourceNotAllowed'],
  ['all is well', available({ lookInMs: 5 }), 'wait Available, 5 ms'],
  ['a Secret that the API server refuses', hold(writeRefused('no')), 'stalled SecretWriteRefused'],
])('%s', (_sentence, wait, expected) => expect(told(wait)).toBe(expected));

test.each<[Reason, boolean]>([
  [Reason.SourceRefNotFound, true],
  [Reason.SourceRefNotReady, true],
  [Reason.SecretPending, true],
  [Reason.NamespaceTerminating, true],
  [Reason.ClockSkewed, true],
  // Blips, and the line itself.
  [Reason.Pending, false],
  [Reason.ProviderUnreachable, false],
  [Reason.WaitingForBranchSlot, false],
])('whoever waits with %s lets others pass: %s', (reason, expected) => {
  expect(standsAside(waitFor(reason, 'm'))).toBe(expected);
  // Whatever waits for a person does.
  expect(standsAside(stall({ reason, message: 'm' }))).toBe(true);
});
