// What a measurement is: samples with a unit and, where the design names one, a target. Nothing here fails when a target
// is missed: a wall clock on somebody's machine is a record, not a test.

export interface Figure {
  readonly row: string;
  readonly what: string;
  /** '×', 'ms', 's', 'MB', '%', or what is counted. */
  readonly unit: string;
  readonly samples: readonly number[];
  /** Holds for the middle of the samples, or for the worst of them where `of` says so. */
  readonly target?: Target;
  readonly note?: string;
}

export interface Target {
  readonly of: 'median' | 'least' | 'most';
  readonly at: 'most' | 'least';
  readonly value: number;
}

export const atMost = (value: number, of: Target['of'] = 'median'): Target => ({ of, at: 'most', value });
export const atLeast = (value: number, of: Target['of'] = 'median'): Target => ({ of, at: 'least', value });

/** The q-th quantile, interpolated; NaN without samples. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * q;
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (low === undefined || high === undefined) return Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

export const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

/** Pairwise: the k-th sample of both was taken right after one another. */
export const ratios = (samples: readonly number[], floors: readonly number[]): number[] =>
  samples.map((sample, index) => sample / (floors[index] ?? Number.NaN));

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** Undefined without a target. */
  readonly met: boolean | undefined;
}

export function summaryOf({ samples, target }: Figure): Summary {
  const summary = { median: median(samples), least: quantile(samples, 0), most: quantile(samples, 1) };
  if (!target) return { ...summary, met: undefined };
  const value = summary[target.of];
  return { ...summary, met: target.at === 'most' ? value <= target.value : value >= target.value };
}

/** Three significant digits, and no more than anybody reads. */
export function printed(value: number): string {
  if (Number.isNaN(value)) return '-';
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toFixed(0);
  return value.toPrecision(3);
}

export function printedTarget({ of, at, value }: Target): string {
  return `${of === 'median' ? '' : `${of} `}${at === 'most' ? '≤' : '≥'} ${printed(value)}`;
}
