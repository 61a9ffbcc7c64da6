// Who owns which field of an object: the part of server-side apply that the in-memory API server needs.
// Lists that merge by key are opened into maps first, so that merging only ever deals with maps and leaves.
import { isDeepStrictEqual } from 'node:util';

export type Tree = { [key: string]: unknown };

/** A path is a JSON array of keys. */
export type Ownership = Map<string, Set<string>>;

const itemKeys: Record<string, (item: unknown) => string> = {
  'metadata.finalizers': (item) => item as string,
  'metadata.ownerReferences': (item) => (item as { uid: string }).uid,
  'status.conditions': (item) => (item as { type: string }).type,
};

const isMap = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function eachKeyedList(
  tree: Tree,
  change: (parent: Tree, field: string, keyOfItem: (item: unknown) => string) => void,
) {
  for (const [path, keyOfItem] of Object.entries(itemKeys)) {
    const [parentName, field] = path.split('.') as [string, string];
    const parent = tree[parentName];
    if (isMap(parent) && parent[field] !== undefined) change(parent, field, keyOfItem);
  }
}

/** A copy in which keyed lists are maps. */
export function opened(object: object): Tree {
  const tree = structuredClone(object) as Tree;
  eachKeyedList(tree, (parent, field, keyOfItem) => {
    const items = parent[field];
    if (Array.isArray(items))
      parent[field] = Object.fromEntries(items.map((item) => [keyOfItem(item), item as unknown]));
  });
  return tree;
}

/** The reverse of `opened`; a keyed list without items disappears. */
export function closed(opened: Tree): Tree {
  const tree = structuredClone(opened);
  eachKeyedList(tree, (parent, field) => {
    const items = Object.values(parent[field] as Tree);
    if (items.length > 0) parent[field] = items;
    else delete parent[field];
  });
  return tree;
}

/** Every value that is not a map with content, by path. */
export function leaves(tree: Tree, prefix: string[] = [], found = new Map<string, unknown>()): Map<string, unknown> {
  for (const [key, value] of Object.entries(tree)) {
    const path = [...prefix, key];
    if (isMap(value) && Object.keys(value).length > 0) leaves(value, path, found);
    else found.set(JSON.stringify(path), value);
  }
  return found;
}

function merge(target: Tree, source: Tree): void {
  for (const [key, value] of Object.entries(source)) {
    const present = target[key];
    if (isMap(present) && isMap(value)) merge(present, value);
    else target[key] = structuredClone(value);
  }
}

/** Removes the leaf at `path` and the maps that become empty by it. */
function removeLeaf(tree: Tree, path: string[]): void {
  const [key, ...rest] = path as [string, ...string[]];
  const value = tree[key];
  if (rest.length > 0) {
    if (!isMap(value)) return;
    removeLeaf(value, rest);
  }
  if (!isMap(value) || Object.keys(value).length === 0) delete tree[key];
}

const ownedByOthers = (ownership: Ownership, manager: string, path: string): boolean =>
  [...ownership].some(([other, paths]) => other !== manager && paths.has(path));

/** Paths of `wanted` that another manager owns with a different value. */
export function conflicts(current: Tree, wanted: Tree, ownership: Ownership, manager: string): string[] {
  const present = leaves(current);
  return [...leaves(wanted)]
    .filter(([path, value]) => ownedByOthers(ownership, manager, path) && !isDeepStrictEqual(present.get(path), value))
    .map(([path]) => path);
}

/** Merges `wanted` in, takes away what this manager applied before and no longer wants, and records the new owner. */
export function applied(current: Tree, wanted: Tree, ownership: Ownership, manager: string): Tree {
  const result = structuredClone(current);
  const lost = conflicts(current, wanted, ownership, manager);
  const mine = new Set(leaves(wanted).keys());
  for (const path of ownership.get(manager) ?? []) {
    if (!mine.has(path) && !ownedByOthers(ownership, manager, path)) removeLeaf(result, JSON.parse(path) as string[]);
  }
  merge(result, wanted);
  for (const [other, paths] of ownership) if (other !== manager) for (const path of lost) paths.delete(path);
  ownership.set(manager, mine);
  return result;
}

/** What a PUT or a merge patch does to ownership: changed fields belong to the writer, removed ones to nobody. */
export function recordUpdate(before: Tree, after: Tree, ownership: Ownership, manager: string): void {
  const old = leaves(before);
  const now = leaves(after);
  const mine = ownership.get(manager) ?? new Set();
  ownership.set(manager, mine);
  for (const path of new Set([...old.keys(), ...now.keys()])) {
    if (now.has(path) && isDeepStrictEqual(old.get(path), now.get(path))) continue;
    for (const paths of ownership.values()) paths.delete(path);
    if (now.has(path)) mine.add(path);
  }
}
