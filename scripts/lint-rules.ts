// Two lint rules of our own, loaded by .oxlintrc.json: which folder may import which, and what a pure file may
// not do. They see the syntax tree, so comments and strings do not confuse them.

import { basename, join, relative, sep } from 'node:path';
import type { RuleTester } from 'oxlint/plugins-dev';

/** oxlint names the type of a rule only here. */
type Rule = Parameters<RuleTester['run']>[1];
type Visitor = ReturnType<NonNullable<Rule['create']>>;
/** What a rule needs to know of a node of the syntax tree. */
interface Node {
  readonly range: [number, number];
}

const source = join(import.meta.dirname, '../src');

/**
 * What the files of each folder of src may import besides their own folder: a folder, or one file of it.
 * The clock and the result types know nothing of Kubernetes, so everybody may use them.
 */
const plainTools = ['kit/clock.ts', 'kit/result.ts'];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  api: [],
  kit: ['api'],
  lakebase: [...plainTools],
  metrics: ['api', 'kit', 'lakebase'],
  credentials: ['api', 'kit', 'lakebase'],
  controllers: ['api', 'kit', 'lakebase', 'credentials', 'metrics'],
  cli: ['api', 'kit', 'lakebase', 'version.ts'],
  emulator: ['lakebase/model.ts', 'lakebase/token.ts', ...plainTools],
  // app.ts, config.ts and main.ts put everything together.
  '.': ['api', 'kit', 'lakebase', 'metrics', 'credentials', 'controllers'],
};

const importDirection: Rule = {
  create(context): Visitor {
    const from = placeInSource(context.filename);
    if (!from || context.filename.endsWith('.test.ts')) return {};
    const folder = topFolder(from);
    const check = (specifier: (Node & { value?: unknown }) | null): void => {
      if (typeof specifier?.value !== 'string' || !specifier.value.startsWith('.')) return;
      const to = placeInSource(join(context.filename, '..', specifier.value));
      if (to && (topFolder(to) === folder || isAllowed(folder, to))) return;
      const target = to ?? 'files outside src';
      context.report({
        node: specifier,
        message: `src/${folder} may not import ${target}: see scripts/lint-rules.ts.`,
      });
    };
    return {
      ImportDeclaration: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
    };
  },
};

function isAllowed(folder: string, to: string): boolean {
  return (mayImport[folder] ?? []).some((allowed) => to === allowed || to.startsWith(`${allowed}/`));
}

/** 'kit/queue.ts' for a file of src, undefined for any other. */
function placeInSource(file: string): string | undefined {
  const place = relative(source, file).split(sep).join('/');
  return place.startsWith('..') ? undefined : place;
}

function topFolder(place: string): string {
  return place.includes('/') ? (place.split('/')[0] ?? '.') : '.';
}

/** Deciding is pure: data and a Date in, data out. These names, and 'decide-deletion.ts' and the like, promise it. */
const pureFile = /^(decide|plan|report|prove|proof)(-[a-z-]+)?\.ts$/;
const impureMembers = new Set(['Date.now', 'Math.random', 'performance.now', 'crypto.randomUUID']);

const pureFiles: Rule = {
  create(context): Visitor {
    if (!pureFile.test(basename(context.filename))) return {};
    const forbid = (node: Node, what: string): void =>
      context.report({ node, message: `${what} does not belong in a file that only decides: pass the value in.` });
    return {
      AwaitExpression: (node) => forbid(node, 'await'),
      FunctionDeclaration: (node) => node.async && forbid(node, 'An async function'),
      FunctionExpression: (node) => node.async && forbid(node, 'An async function'),
      ArrowFunctionExpression: (node) => node.async && forbid(node, 'An async function'),
      NewExpression: (node) => {
        const ofDate = node.callee.type === 'Identifier' && node.callee.name === 'Date';
        if (ofDate && node.arguments.length === 0) forbid(node, 'The present time');
      },
      MemberExpression: (node) => {
        if (node.object.type !== 'Identifier') return;
        const { name } = node.object;
        const member = node.property.type === 'Identifier' ? `${name}.${node.property.name}` : name;
        if (name === 'process' || impureMembers.has(member)) forbid(node, member);
      },
    };
  },
};

const plugin = {
  meta: { name: 'lakebranch' },
  rules: { 'import-direction': importDirection, 'pure-files': pureFiles },
};
export default plugin;
