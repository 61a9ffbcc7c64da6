import { expect, test } from 'vitest';
import { emulationArgs } from './flags.ts';

test.each<[string, string[]]>([
  ['', []],
  ['1.34', ['--emulated-version=1.34']],
])('the version "%s" makes the flags %j', (version, flags) => {
  expect(emulationArgs(version)).toEqual(flags);
});

test.each(['v1.34', '1.34.2', '1', 'latest'])(
  '"%s" is no version that can be emulated, and that is said',
  (version) => {
    expect(() => emulationArgs(version)).toThrow(
      `LAKEBRANCH_TEST_EMULATED_VERSION is "${version}"; write a version like 1.34.`,
    );
  },
);
