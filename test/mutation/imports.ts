// Which files a file brings along at run time: a test can only notice a change in one of those.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { child, children, parse } from './syntax.ts';

const known = new Map<string, readonly string[]>();

/** Absolute paths, itself among them. Imports of types count for nothing, and packages are not looked into. */
export function reachableFrom(path: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  for (const imported of importsOf(path)) reachableFrom(imported, seen);
  return seen;
}

function importsOf(path: string): readonly string[] {
  const before = known.get(path);
  if (before) return before;
  const found = children(parse(readFileSync(path, 'utf8')), 'body')
    .filter(
      (statement) => statement['source'] && statement['importKind'] !== 'type' && statement['exportKind'] !== 'type',
    )
    .map((statement) => String(child(statement, 'source')['value']))
    .filter((specifier) => specifier.startsWith('.') && specifier.endsWith('.ts'))
    .map((specifier) => join(dirname(path), specifier))
    .filter((imported) => existsSync(imported));
  known.set(path, found);
  return found;
}
