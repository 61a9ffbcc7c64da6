// What the pages say, held against what there is: links, settings, files, metrics.
import { readFileSync, existsSync, globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/metrics/catalogue.ts';
import { metricsIn } from './alerts/expressions.ts';
import { alertRules } from './alerts/rules.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = globSync(['*.md', 'docs/**/*.md', 'src/**/*.md', 'test/**/*.md'], { cwd: root }).toSorted();

/** The anchor that a heading gets where Markdown is shown. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(/\s/g, '-');

const withoutCode = (text: string): string => text.replaceAll(/^```[^]*?^```/gm, '');
const anchorsIn = (path: string): string[] =>
  [...withoutCode(read(path)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
const linksIn = (text: string): string[] =>
  [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);

function isBroken(from: string, link: string): boolean {
  const [target = '', anchor] = link.split('#');
  const path = target === '' ? from : join(dirname(from), target);
  if (!existsSync(join(root, path))) return true;
  return anchor !== undefined && !anchorsIn(path).includes(anchor);
}

test.each(pages)('every link of %s leads somewhere', (page) => {
  const own = linksIn(read(page)).filter((link) => !/^[a-z]+:/.test(link));
  expect(own.filter((link) => isBroken(page, link))).toEqual([]);
});

test('every setting of the operator is in the table of docs/operations.md, with its default', () => {
  const settings = [...read('src/config.ts').matchAll(/^ {2}([A-Z_]+): (.*)/gm)].map(([, name, rule = '']) => ({
    name,
    preset: /\.default\('?([^')]+)'?\)/.exec(rule)?.[1],
  }));
  const rows = new Map(
    [...read('docs/operations.md').matchAll(/^\| `([A-Z_]+)` *\| (.*?) *\|/gm)].map(([, name, preset]) => [
      name,
      preset,
    ]),
  );
  expect(new Set(rows.keys())).toEqual(new Set(settings.map(({ name }) => name)));
  const withDefault = settings.filter(({ preset }) => preset !== undefined);
  expect(withDefault.length).toBeGreaterThan(5);
  for (const { name, preset = '' } of withDefault)
    expect(rows.get(name), name).toBe(`\`${preset.replaceAll('_', '')}\``);
});

test.each([
  ['database-branch', '## The files of `controllers/database-branch`'],
  ['point-in-time-restore', '## Restores'],
])('docs/architecture.md has a line for every file of the loop %s', (folder, heading) => {
  const section = read('docs/architecture.md').split(`${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const named = [...section.matchAll(/^\| `([a-z-]+\.ts)`/gm)].map(([, file]) => file);
  const files = globSync('*.ts', { cwd: join(root, 'src/controllers', folder) });
  expect(new Set(named)).toEqual(new Set(files.filter((file) => !file.endsWith('.test.ts'))));
});

test('the decisions are numbered without a gap', () => {
  const numbers = globSync('*.md', { cwd: join(root, 'docs/adr') })
    .toSorted()
    .map((name) => Number(name.slice(0, 4)));
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});

describe('alerts', () => {
  const rules = alertRules();

  test.each(rules)(
    '$alert has a section in docs/alerts.md, and its runbook_url leads there',
    ({ alert, annotations }) => {
      expect(annotations.runbook_url).toBe(`docs/alerts.md#${anchorOf(alert)}`);
      expect(isBroken('README.md', annotations.runbook_url)).toBe(false);
    },
  );

  test('docs/alerts.md has no section of an alert that there is not', () => {
    const told = [...read('docs/alerts.md').matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
    expect(new Set(told)).toEqual(new Set(rules.map(({ alert }) => alert)));
  });
});

test.each(['docs/alerts.md', 'docs/operations.md', 'README.md', 'CHANGELOG.md'])(
  '%s names only metrics that there are',
  (page) => {
    const known = new Set<string>(Object.values(catalogue).map(({ name }) => name));
    expect(metricsIn(read(page)).filter((name) => !known.has(name))).toEqual([]);
  },
);
