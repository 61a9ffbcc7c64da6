// How instants, durations and names look on the wire.
import type { Instant } from './state.ts';

/** RFC 3339 in UTC; the fraction is left out when it is zero, as the service does. */
export const timestamp = (instant: Instant): string => new Date(instant).toISOString().replace('.000Z', 'Z');

/** Protobuf JSON: decimal seconds and an `s`. */
export const duration = (seconds: number): string => `${seconds}s`;

/** Seconds, or undefined for anything but protobuf JSON: `720h` and bare numbers are no durations here. */
export function parseDuration(text: string): number | undefined {
  return /^\d+(\.\d{1,9})?s$/.test(text) ? Number(text.slice(0, -1)) : undefined;
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

export function parseTimestamp(text: string): Instant | undefined {
  if (!rfc3339.test(text)) return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}

/** Drops the members that are undefined: absent on the wire. */
export function compact(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
