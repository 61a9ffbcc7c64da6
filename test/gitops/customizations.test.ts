// The folder that can be handed in to Argo CD as it is: its own kind of test files, held against its own engine.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { KubeObject } from '../../src/kit/kube.ts';
import { expectLawfulStatus } from '../kstatus.ts';
import { toolBinary } from '../tools/build.ts';
import { askArgo, buildTimeoutMs, healthOf, type Health } from './ask.ts';

beforeAll(() => toolBinary('argocd'), buildTimeoutMs);

const folder = join(import.meta.dirname, '../../deploy/argocd/resource_customizations');
const read = (path: string): unknown => parse(readFileSync(join(folder, path), 'utf8'));
const files = (pattern: string): string[] => globSync(pattern, { cwd: folder }).toSorted();

interface HealthTests {
  readonly tests: readonly { readonly inputPath: string; readonly healthStatus: Health }[];
}
interface ActionTests {
  readonly discoveryTests: readonly {
    readonly inputPath: string;
    readonly result: readonly { readonly name: string }[];
  }[];
  readonly actionTests: readonly {
    readonly action: string;
    readonly inputPath: string;
    readonly expectedOutputPath?: string;
    readonly expectedErrorMessage?: string;
    readonly parameters?: Readonly<Record<string, string>>;
  }[];
}

const healthTests = files('*/*/health_test.yaml').flatMap((file) =>
  (read(file) as HealthTests).tests.map((row) => ({ ...row, inputPath: join(dirname(file), row.inputPath) })),
);

test.each(healthTests)('$inputPath is $healthStatus.status', async ({ inputPath, healthStatus }) => {
  const object = read(inputPath) as KubeObject;
  expect(() => expectLawfulStatus(object)).not.toThrow();
  expect(await healthOf([object])).toEqual([healthStatus]);
});

test('every kind has a test of each health that it can have', () => {
  const met = healthTests.map(({ inputPath, healthStatus }) => `${dirname(dirname(inputPath))} ${healthStatus.status}`);
  const kinds = files('*/*/health.lua').map((file) => dirname(file));
  expect(kinds).toHaveLength(3);
  expect([...new Set(met)].toSorted()).toEqual(
    kinds.flatMap((kind) => ['Degraded', 'Healthy', 'Progressing'].map((status) => `${kind} ${status}`)).toSorted(),
  );
});

const byName = <T extends { readonly name: string }>(actions: readonly T[]): T[] =>
  actions.toSorted((a, b) => a.name.localeCompare(b.name));

describe.each(files('*/*/actions/action_test.yaml'))('%s', (file) => {
  const { discoveryTests, actionTests } = read(file) as ActionTests;
  const input = (path: string): KubeObject => read(join(dirname(file), path)) as KubeObject;

  test.each(discoveryTests)('offers for $inputPath what it says', async ({ inputPath, result }) => {
    const [answer] = await askArgo([{ do: 'discover', object: input(inputPath) }]);
    expect(byName(answer?.actions ?? [])).toEqual(byName(result));
  });

  test.each(actionTests)('$action of $inputPath does what it says', async (row) => {
    const { action, inputPath, parameters = {}, expectedOutputPath, expectedErrorMessage } = row;
    const [answer] = await askArgo([{ do: 'run', action, parameters, object: input(inputPath) }]);
    expect(answer?.error).toBe(expectedErrorMessage);
    expect(answer?.object).toEqual(expectedOutputPath === undefined ? undefined : input(expectedOutputPath));
  });
});
