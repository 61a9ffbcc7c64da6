import { expect, test } from 'vitest';
import { errorFrom } from './classify.ts';
import type { LakebaseErrorCode } from './errors.ts';

const now = new Date('2026-03-01T12:00:00Z');

const api = (error_code: string, message = 'words'): string => JSON.stringify({ error_code, message });

test.each<[what: string, status: number, body: string, code: LakebaseErrorCode]>([
  ['a missing branch', 404, api('NOT_FOUND', 'branch id not found'), 'notFound'],
  ['a missing resource, said in other words', 404, api('RESOURCE_DOES_NOT_EXIST'), 'notFound'],
  ['a code nobody has heard of', 404, api('LOST_IN_SPACE'), 'notFound'],
  ["a gateway's 404 page says nothing of a branch", 404, '<html><title>404 Not Found</title></html>', 'unavailable'],
  ["a gateway's 404 in JSON says nothing of a branch", 404, '{"message":"no Route matched"}', 'unavailable'],
  ['an empty 404 says nothing of a branch', 404, '', 'unavailable'],
  ['an API that is switched off says nothing of a branch', 404, api('FEATURE_DISABLED'), 'unavailable'],
  ['an API that is not there says nothing of a branch', 404, api('ENDPOINT_NOT_FOUND'), 'unavailable'],

  ['a taken id, as the service says it', 400, api('BAD_REQUEST', 'branch already exists; branch_name:"x"'), 'exists'],
  ['a taken id, as the command line expects it', 409, api('ALREADY_EXISTS', 'x'), 'exists'],
  ['a taken id, as old services said it', 400, api('RESOURCE_ALREADY_EXISTS', 'x'), 'exists'],
  ['the words alone do not do', 403, api('PERMISSION_DENIED', 'already exists'), 'denied'],
  ['another operation is under way', 409, api('ABORTED', 'conflicting operations in progress'), 'conflict'],
  ['a conflict without a body', 409, '', 'conflict'],

  ['an invalid request', 400, api('INVALID_PARAMETER_VALUE'), 'invalid'],
  ['any other 4xx', 422, api('WHATEVER'), 'invalid'],
  ['an unknown token', 401, api('UNAUTHENTICATED'), 'unauthenticated'],
  ['a token refused by something else', 401, '<html>', 'unauthenticated'],
  ['a missing permission', 403, api('PERMISSION_DENIED'), 'denied'],
  ['too many requests', 429, api('RESOURCE_EXHAUSTED'), 'throttled'],
  ['a request that took too long to arrive', 408, '', 'unavailable'],
  ['a cancelled request', 499, api('CANCELLED'), 'unavailable'],
  ['a fault', 500, api('INTERNAL_ERROR'), 'unavailable'],
  ['not implemented', 501, api('NOT_IMPLEMENTED'), 'unavailable'],
  ['a bad gateway', 502, '<html><title>502 Bad Gateway</title></html>', 'unavailable'],
  ['a redirect to a login page', 302, '', 'unavailable'],
])('%s: %i → %s', (_, status, body, code) => {
  expect(errorFrom({ status, headers: {}, body }, now)).toMatchObject({ code, details: { status } });
});

test.each([
  [
    "the provider's own words, without TraceId",
    400,
    api('BAD_REQUEST', 'cannot do [TraceId: 0af7651916cd43dd8448eb211c80319c]'),
    'cannot do',
  ],
  ['a code without words', 400, api('BAD_REQUEST', ''), 'HTTP 400 BAD_REQUEST'],
  ['a token endpoint', 401, '{"error":"invalid_client","error_description":"no such client"}', 'no such client'],
  ['a page', 502, '<title>502 Bad Gateway</title>', 'HTTP 502 from something that is not the API: 502 Bad Gateway'],
  ['nothing', 503, '', 'HTTP 503 from something that is not the API'],
  ['a redirect', 307, '', 'HTTP 307: the host redirects, it is not the address of a workspace'],
])('the message of %s', (_, status, body, message) => {
  expect(errorFrom({ status, headers: {}, body }, now).message).toBe(message);
});

test('TraceId and code are kept for the log', () => {
  const body = api('BAD_REQUEST', 'no [TraceId: 0af7651916cd43dd8448eb211c80319c]');
  expect(errorFrom({ status: 400, headers: {}, body }, now).details).toMatchObject({
    providerCode: 'BAD_REQUEST',
    traceId: '0af7651916cd43dd8448eb211c80319c',
  });
});

const retryInfo = JSON.stringify({
  error_code: 'RESOURCE_EXHAUSTED',
  details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retry_delay: '2.5s' }],
});

test.each<[what: string, headers: Record<string, string>, body: string, ms: number | undefined]>([
  ['seconds', { 'retry-after': '3' }, '', 3000],
  ['no wait', { 'retry-after': '0' }, '', 0],
  [
    'an HTTP date, counted from the Date of the answer',
    { 'retry-after': 'Sun, 01 Mar 2026 15:00:07 GMT', date: 'Sun, 01 Mar 2026 15:00:00 GMT' },
    '',
    7000,
  ],
  ['an HTTP date, counted from our clock', { 'retry-after': 'Sun, 01 Mar 2026 12:00:09 GMT' }, '', 9000],
  ['an HTTP date in the past', { 'retry-after': 'Sun, 01 Mar 2026 11:00:00 GMT' }, '', 0],
  ['a wait without sense', { 'retry-after': '999999999' }, '', 3_600_000],
  ['nonsense', { 'retry-after': 'soon' }, '', undefined],
  ['RetryInfo', {}, retryInfo, 2500],
  ['the header before RetryInfo', { 'retry-after': '1' }, retryInfo, 1000],
  ['silence', {}, '', undefined],
])('Retry-After: %s', (_, headers, body, ms) => {
  expect(errorFrom({ status: 429, headers, body }, now).details.retryAfterMs).toBe(ms);
});
