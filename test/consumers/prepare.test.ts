import { expect, test } from 'vitest';
import { looksOffline } from './prepare.ts';

test.each([
  ['npm', 'npm error code EAI_AGAIN', true],
  ['pip', 'Failed to establish a new connection: [Errno -3] Temporary failure in name resolution', true],
  ['go', 'dial tcp: lookup example.com: no such host', true],
  ['mvn', 'Could not transfer artifact: example.com: Unknown host example.com', true],
  ['a version that is not there', 'npm error code E404', false],
  ['a wrong checksum', 'THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE', false],
])('what %s says is taken for a missing network only if it is one', (_, output, offline) => {
  expect(looksOffline(output)).toBe(offline);
});
