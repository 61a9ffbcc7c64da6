// One change on top of a valid object: what every builder is made of.

/** Any part of T, however deep. Lists are replaced as a whole; `undefined` takes a field away. */
export type Change<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: Change<T[K]> | undefined }
    : T;

/** `base` with the change in it; neither is touched. */
export function changed<T>(base: T, change: Change<NoInfer<T>>): T {
  return merge(base, change) as T;
}

function merge(base: unknown, change: unknown): unknown {
  if (!isRecord(change)) return structuredClone(change === undefined ? base : change);
  const result: Record<string, unknown> = isRecord(base) ? structuredClone(base) : {};
  for (const [key, value] of Object.entries(change)) {
    if (value === undefined) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
