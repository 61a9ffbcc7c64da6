// What the pages say, held against what there is: links, settings, files, metrics.
import { readFileSync, existsSync, globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { catalogue } from '../src/metrics/catalogue.ts';
import { metricsIn } from './alerts/expressions.ts';
import { alertRules } from './alerts/rules.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = globSync(['*.md', '{charts,deploy,docs,examples,src,test}/**/*.md'], {
  cwd: root,
  exclude: ['**/node_modules/**'],
}).toSorted();

/** Without code, in which brackets and # mean something else. Fences may stand in a list, so with spaces before them. */
const withoutFences = (text: string): string => text.replaceAll(/^( *)(```+)[^]*?^\1\2 *$/gm, '');
const withoutCode = (text: string): string => withoutFences(text).replaceAll(/(`+)[^]*?\1/g, '');

/** What is left of the markup of a heading: `[text](target)` is shown as text. */
const shown = (heading: string): string => heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');

/** The anchor that a heading gets where Markdown is shown. */
const anchorOf = (heading: string): string =>
  shown(heading)
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\s-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');

/** The second heading of a name gets -1, the third -2. */
function anchorsIn(path: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = [...withoutFences(read(path)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
    const anchor = anchorOf(heading);
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
  return new Set(anchors);
}

/** `[text](target "title")`, `![image](target)`, `[name]: target`, and what stands in HTML. */
function linksIn(page: string): string[] {
  const text = withoutCode(page);
  const kinds = [
    /\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g,
    /^ {0,3}\[[^\]]+\]: *<?(\S+?)>?$/gm,
    /\b(?:href|src)="([^"]+)"/g,
  ];
  return kinds.flatMap((kind) => [...text.matchAll(kind)].map(([, target = '']) => target));
}

function isBroken(from: string, link: string): boolean {
  const [target = '', anchor] = link.split('#');
  const path = target === '' ? from : join(dirname(from), decodeURIComponent(target));
  if (!existsSync(join(root, path))) return true;
  return anchor !== undefined && !anchorsIn(path).has(anchor);
}

const isOurs = (link: string): boolean => !/^[a-z]+:/.test(link);

test.each(pages)('every link of %s leads somewhere', (page) => {
  const own = linksIn(read(page)).filter(isOurs);
  expect(own.filter((link) => isBroken(page, link))).toEqual([]);
});

test.each<[string, string, boolean]>([
  ['a page', '[see](docs/api.md)', false],
  ['a folder', '[see](docs/adr)', false],
  ['a section', '[see](docs/operations.md#settings)', false],
  ['a section that is not there', '[see](docs/operations.md#setting)', true],
  ['a section of the page itself', '[see](#state)', true],
  ['a page that is not there', '[see](docs/apis.md)', true],
  ['a picture that is not there', '![a dashboard](docs/dashboard.png)', true],
  ['a picture in HTML', '<img src="docs/dashboard.png">', true],
  ['a target with a title', '[see](docs/apis.md "All fields")', true],
  ['a target that is defined below', '[see][fields]\n\n[fields]: docs/apis.md', true],
])('a link to %s', (_what, text, broken) => {
  expect(linksIn(text).some((link) => isBroken('README.md', link))).toBe(broken);
});

test('links in code are no links', () => {
  expect(linksIn('- one:\n\n  ```md\n  [see](nowhere.md)\n  ```\n\n`[see](nowhere.md)`')).toEqual([]);
});

test('docs/README.md leads to every page of docs', () => {
  const led = new Set(linksIn(read('docs/README.md')).map((link) => link.split('#')[0]));
  const others = globSync('*.md', { cwd: join(root, 'docs') }).filter((name) => name !== 'README.md');
  expect(others.filter((name) => !led.has(name))).toEqual([]);
});

test('docs/conventions.md has an answer in each row, with a link where it says that something is met, and counts right', () => {
  const page = read('docs/conventions.md');
  const rows = [...page.matchAll(/^\| (\d+) +\| .+? +\| (met|partly|not) +\| (.+) \|$/gm)];
  expect(rows.map(([, number]) => Number(number))).toEqual(rows.map((_, index) => index + 1));
  expect(page.match(/^\| \d/gm)).toHaveLength(rows.length);
  const bare = rows.filter(([, , state, answer = '']) => state !== 'not' && linksIn(answer).length === 0);
  expect(bare.map(([, number]) => number)).toEqual([]);
  const count = (state: string): number => rows.filter((row) => row[2] === state).length;
  expect(page).toContain(`in ${rows.length} rows`);
  expect(page).toContain(`Counted: ${count('met')} met, ${count('partly')} partly, ${count('not')} not.`);
});

/** The `helm` commands of a page with the chart that they install, and the values that they set. */
function settingsIn(page: string): { readonly chart: string; readonly path: string }[] {
  const lines = page.replaceAll(/\\\n\s*/g, ' ').split('\n');
  return lines.flatMap((line) => {
    const chart = /\bhelm (?:install|upgrade|template)\b.*?\b(charts\/lakebranch|examples\/preview-chart)\b/.exec(
      line,
    )?.[1];
    if (chart === undefined) return [];
    return [...line.matchAll(/--set(?:-string|-json)? ["']?([\w.-]+)/g)].map(([, path = '']) => ({ chart, path }));
  });
}

/** A value that is an empty map or list is filled by whoever installs. */
function isValue(values: unknown, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return true;
  if (typeof values !== 'object' || values === null) return false;
  if (Object.keys(values).length === 0) return true;
  return key in values && isValue((values as Record<string, unknown>)[key], rest);
}

test('what pages set in a chart is a value of it', () => {
  const settings = pages.flatMap((page) => settingsIn(read(page)).map((setting) => ({ page, ...setting })));
  expect(settings.length).toBeGreaterThan(2);
  const unknown = settings.filter(({ chart, path }) => !isValue(parse(read(`${chart}/values.yaml`)), path.split('.')));
  expect(unknown).toEqual([]);
});

test.each(pages)('%s reads the logs of all replicas, not of the one that kubectl happens to pick', (page) => {
  const ofOne = read(page).match(/logs deploy(?:ment)?\/lakebranch\b(?! --previous)[^`\n]*/g) ?? [];
  expect(ofOne).toEqual([]);
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
