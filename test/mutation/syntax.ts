// The syntax tree of a TypeScript source, as far as a mutation has to know it.
import { parseAst } from 'vitest/node';

/** ESTree with TypeScript nodes; parentheses are nodes of their own, so that `end` is where the text ends. */
export interface Node {
  readonly type: string;
  /** UTF-16 units from the begin of the source. */
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** @throws an Error that shows the place, if the source is not TypeScript */
export function parse(source: string): Node {
  const tree: unknown = parseAst(source, { lang: 'ts', sourceType: 'module', preserveParens: true });
  if (!isNode(tree)) throw new Error('the parser gave no tree');
  return tree;
}

export function isSyntax(source: string): boolean {
  try {
    parse(source);
    return true;
  } catch {
    return false;
  }
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** The node in a field that always has one. */
export function child(node: Node, field: string): Node {
  const value = node[field];
  if (!isNode(value)) throw new Error(`${node.type} has no ${field}`);
  return value;
}

/** The nodes in a field that holds a list; holes are left out. */
export function children(node: Node, field: string): readonly Node[] {
  const value = node[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** Every node below that exists at run time, with the path to it, the nearest first. Types are left out. */
export function* walk(node: Node, path: readonly Node[] = []): Generator<readonly [Node, readonly Node[]]> {
  if (!isErased(node)) yield [node, path];
  for (const below of valuesBelow(node)) yield* walk(below, [node, ...path]);
}

// What stands around a value at run time's expense of nothing: `x as T`, `x satisfies T`, `x!`.
const wrappers = new Set(['TSAsExpression', 'TSSatisfiesExpression', 'TSNonNullExpression']);
const isErased = ({ type }: Node): boolean => type.startsWith('TS') || type.startsWith('Import');

function valuesBelow(node: Node): readonly Node[] {
  if (wrappers.has(node.type)) return [child(node, 'expression')];
  if (isErased(node)) return [];
  return Object.values(node)
    .flatMap((value: unknown) => (Array.isArray(value) ? (value as unknown[]) : [value]))
    .filter(isNode);
}
