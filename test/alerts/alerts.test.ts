// Prometheus's own tool says when each alert fires; each has a case in which it does and one in which it does not.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { toolBinary } from '../tools/build.ts';
import { alertCases, type AlertCase } from './cases.ts';
import { isPerObject, metricsIn, unknownIn } from './expressions.ts';
import { alertRules, rulesFile, type AlertRule } from './rules.ts';

/** Two minutes of work where nothing is built yet; generous, because it only bounds a hang. */
const buildMs = 30 * 60_000;

const rules = alertRules();
let promtool: string;
let folder: string;

beforeAll(async () => {
  promtool = await toolBinary('promtool');
  folder = await mkdtemp(join(tmpdir(), 'lakebranch-alerts-'));
}, buildMs);
afterAll(() => folder && rm(folder, { recursive: true }));

/** Resolves with what it said, whether it was content or not. */
async function run(...args: string[]): Promise<string> {
  const done = promisify(execFile)(promtool, args, { maxBuffer: 2 ** 24 });
  const { stdout, stderr } = await done.catch((error: unknown) => error as { stdout: string; stderr: string });
  return stdout + stderr;
}

test('the rules are well-formed, and none is there twice', async () => {
  expect(await run('check', 'rules', '--lint=all', '--lint-fatal', rulesFile)).toContain(
    `SUCCESS: ${rules.length} rules found`,
  );
});

test.each(rules)('$alert has a case in which it fires and one in which it does not', ({ alert }) => {
  const own = alertCases.filter((one) => one.alert === alert);
  expect(own.map(({ fires }) => fires !== undefined)).toEqual(expect.arrayContaining([true, false]));
});

test.each(alertCases)('$alert: $when', async (one) => {
  const file = join(folder, `case-${alertCases.indexOf(one)}.yaml`);
  await writeFile(
    file,
    stringify({ rule_files: [rulesFile], evaluation_interval: one.step ?? '1m', tests: [testOf(one)] }),
  );
  expect(await run('test', 'rules', file)).toMatch(/SUCCESS/);
});

function testOf(one: AlertCase): unknown {
  const { alert, when, series, step = '1m', at, fires } = one;
  const expected = fires === undefined ? [] : [alertOf(one, fires)];
  return {
    name: when,
    interval: step,
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [{ alertname: alert, eval_time: at, exp_alerts: expected }],
  };
}

function alertOf({ alert, names = '', value = '' }: AlertCase, labels: Readonly<Record<string, string>>): unknown {
  const { labels: own, annotations } = ruleOf(alert);
  const shown = (text: string): string =>
    text
      .replace(/\{\{ range query .*?\{\{ end \}\}/, names)
      .replaceAll(/\{\{ \$labels\.([a-z]+) \}\}/g, (_all, label: string) => labels[label] ?? '')
      .replaceAll(/\{\{ \$value.*?\}\}/g, value);
  return {
    exp_labels: { ...own, ...labels },
    exp_annotations: Object.fromEntries(Object.entries(annotations).map(([name, text]) => [name, shown(text)])),
  };
}

const ruleOf = (alert: string): AlertRule => rules.find((rule) => rule.alert === alert)!;

test.each(rules)('$alert rests on what there is, and on nothing that can be switched off', ({ expr }) => {
  expect(metricsIn(expr).length).toBeGreaterThan(0);
  expect(unknownIn(expr)).toEqual([]);
  expect(metricsIn(expr).filter(isPerObject)).toEqual([]);
});

test.each(rules)('$alert tells only of what there is', ({ annotations }) => {
  expect(Object.values(annotations).flatMap((text) => unknownIn(text.replaceAll('\\"', '"')))).toEqual([]);
});
