// How often properties are tried, and from which seed: the same cases at every run, unless somebody asks for others.
import type * as fc from 'fast-check';

/** Other cases with PROPERTY_SEED=n, more of them with PROPERTY_TIMES=n; a failure prints what leads back to it. */
const seed = Number(process.env['PROPERTY_SEED'] ?? 1);
const times = Number(process.env['PROPERTY_TIMES'] ?? 1);

export const runs = (count: number): fc.Parameters<unknown> => ({ seed, numRuns: Math.round(count * times) });
