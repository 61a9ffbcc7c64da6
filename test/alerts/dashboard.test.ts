// The dashboard shows metrics and labels that there are, in expressions that Prometheus understands.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { toolBinary } from '../tools/build.ts';
import { metricsIn, unknownIn } from './expressions.ts';

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const file = join(import.meta.dirname, '../../charts/lakebranch/files/dashboard.json');
const { panels } = JSON.parse(readFileSync(file, 'utf8')) as { panels: Panel[] };
const targets = panels.flatMap(({ title, targets: own = [] }) => own.map((target) => ({ title, ...target })));

/** What Grafana puts in the place of its variables. */
const filledIn = (expr: string): string => expr.replaceAll('$class', '.*').replaceAll('$__rate_interval', '5m');

test.each(targets)('$title: $expr', ({ expr, legendFormat }) => {
  expect(metricsIn(expr).length).toBeGreaterThan(0);
  expect(unknownIn(filledIn(expr))).toEqual([]);
  // A label that is not in the result would show as itself.
  const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
  const kept = new Set(['instance', ...(/by \(([^)]*)\)/.exec(expr)?.[1]?.split(', ') ?? [])]);
  expect(shown.filter((label) => !kept.has(label ?? ''))).toEqual([]);
});

test('no panel lies on another, and none sticks out', () => {
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
});

describe('Prometheus', () => {
  let promtool: string;
  beforeAll(async () => void (promtool = await toolBinary('promtool')), 30 * 60_000);

  test('understands every expression', () => {
    const rules = targets.map(({ expr }, n) => ({ record: `panel_${n}`, expr: filledIn(expr) }));
    const input = stringify({ groups: [{ name: 'dashboard', rules }] });
    const said = execFileSync(promtool, ['check', 'rules'], { input, encoding: 'utf8', stdio: 'pipe' });
    expect(said).toContain(`SUCCESS: ${targets.length} rules found`);
  });
});
