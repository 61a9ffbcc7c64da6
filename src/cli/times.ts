// Durations and instants as people write and read them. Pure.
import { formatDuration, parseDuration } from '../api/duration.ts';
import { UsageError } from './command.ts';

/** Milliseconds. Days are allowed here, unlike in a manifest, because a person means 24 hours of them. */
export function durationMs(flag: string, text: string): number {
  const match = /^(?:(\d+)d)?((?:\d+h)?(?:\d+m)?(?:\d+s)?)$/.exec(text);
  const [, days = '0', rest = ''] = match ?? [];
  if (!match || text === '')
    throw new UsageError(`--${flag}: write a duration like 90m, 24h or 2d, not ${JSON.stringify(text)}`);
  const ms = Number(days) * 86_400_000 + (rest === '' ? 0 : parseDuration(rest));
  if (ms <= 0) throw new UsageError(`--${flag}: a duration must be longer than nothing`);
  if (ms > longestMs) throw new UsageError(`--${flag}: ${text} is longer than a century`);
  return ms;
}

/** Instants that are further away cannot be written in four digits of a year. */
const longestMs = 36_525 * 86_400_000;

const instantPattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** With its zone, because an incident is read off clocks of several. */
export function instantOf(flag: string, text: string): Date {
  const instant = new Date(text);
  const [, written] = instantPattern.exec(text) ?? [];
  if (written === undefined || Number.isNaN(instant.getTime()))
    throw new UsageError(
      `--${flag}: write a time with its zone, like 2026-09-21T22:56:02Z, not ${JSON.stringify(text)}`,
    );
  // JavaScript takes the 31st of November for the 1st of December.
  if (!new Date(`${written}Z`).toISOString().startsWith(written))
    throw new UsageError(`--${flag}: there is no such day or hour as in ${JSON.stringify(text)}`);
  return instant;
}

/** As Kubernetes writes instants: whole seconds, UTC. */
export const formatInstant = (instant: Date): string => `${instant.toISOString().slice(0, 19)}Z`;

/** `3d`, `26h`, `41m`, `12s`: one unit for long ones, two where the second says something. */
export function formatSpan(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 120) return `${minutes}m`;
  if (hours < 48) return minutes % 60 === 0 || hours >= 10 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d${hours % 24 === 0 ? '' : `${hours % 24}h`}`;
}

/** `in 3h` or `5m ago`. */
export function formatRelative(instant: Date, now: Date): string {
  const ms = instant.getTime() - now.getTime();
  return ms >= 0 ? `in ${formatSpan(ms)}` : `${formatSpan(ms)} ago`;
}

/** `2026-11-26T22:00:00Z (in 3h)`. */
export const formatWhen = (instant: Date, now: Date): string =>
  `${formatInstant(instant)} (${formatRelative(instant, now)})`;

export const instantFrom = (text: string | undefined): Date | undefined =>
  text === undefined ? undefined : new Date(text);

export { formatDuration };
