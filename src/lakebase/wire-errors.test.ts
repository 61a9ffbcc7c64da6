import { describe, expect, test } from 'vitest';
import { errorWordsFrom } from './wire.ts';

describe('the words of an error', () => {
  const trace = '0af7651916cd43dd8448eb211c80319c';

  test.each([
    [
      'the usual',
      { error_code: 'NOT_FOUND', message: `branch id not found [TraceId: ${trace}]` },
      { apiCode: 'NOT_FOUND', message: 'branch id not found', traceId: trace },
    ],
    ['a code only', { error_code: 'NOT_FOUND' }, { apiCode: 'NOT_FOUND', message: '' }],
    [
      'a code nobody has heard of',
      { error_code: 'TEAPOT', message: 'short\nand stout' },
      { apiCode: 'TEAPOT', message: 'short and stout' },
    ],
    [
      'a token endpoint',
      { error: 'invalid_client', error_description: 'Client authentication failed' },
      { apiCode: undefined, oauthCode: 'invalid_client', message: 'Client authentication failed' },
    ],
    [
      'a token of somebody else in it',
      { error_code: 'X', message: 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl is no token' },
      { apiCode: 'X', message: '[token] is no token' },
    ],
    ['an older API', { error: 'it broke' }, { apiCode: undefined, message: 'it broke' }],
    [
      'the newer token endpoint',
      { errorCode: 'invalid_client', errorSummary: 'no' },
      { apiCode: 'invalid_client', message: 'no' },
    ],
    ['SCIM', { detail: 'not here', status: '404' }, { apiCode: undefined, message: 'not here' }],
    ['fields of the wrong type', { error_code: 5, message: {}, details: 'none' }, { apiCode: undefined, message: '' }],
    [
      'a request id',
      {
        error_code: 'X',
        message: 'm',
        details: [{ '@type': 'type.googleapis.com/google.rpc.RequestInfo', request_id: 'r-1' }],
      },
      { traceId: 'r-1' },
    ],
    [
      'when to come back',
      { error_code: 'X', details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retry_delay: '1.5s' }] },
      { retryDelayMs: 1500 },
    ],
    [
      'details of other kinds',
      { error_code: 'X', details: [null, { '@type': 7 }, { retry_delay: '5s' }] },
      { retryDelayMs: undefined },
    ],
  ])('%s', (_, body, words) => {
    expect(errorWordsFrom(JSON.stringify(body))).toMatchObject(words);
  });

  test.each([
    ['the <pre> of a page', '<html><title>Error</title><pre class="x">upstream\n gone</pre></html>', 'upstream gone'],
    ['the <title> of a page', '<html><head><title>502 Bad Gateway</title></head>', '502 Bad Gateway'],
    ['nothing of other text', 'upstream connect error', ''],
    ['nothing of nothing', '', ''],
    ['nothing of a JSON string', '"oops"', ''],
  ])('%s', (_, body, message) => {
    expect(errorWordsFrom(body)).toMatchObject({ apiCode: undefined, message });
  });

  test('are cut', () => {
    expect(errorWordsFrom(JSON.stringify({ message: 'x'.repeat(2000) })).message).toHaveLength(500);
  });
});
