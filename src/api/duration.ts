// Durations as people write them in a manifest: hours, minutes and seconds, like `72h` or `1h30m`. No days: see `durationPattern`.

/** Empty text matches too and is refused by a minimum length. Days are no unit: with daylight saving they have no length. */
export const durationPattern = '^([0-9]+h)?([0-9]+m)?([0-9]+s)?$';

const shape = new RegExp(durationPattern);

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** Milliseconds of a duration that matches `durationPattern`. Throws RangeError on anything else. */
export function parseDuration(text: string): number {
  const match = text === '' ? null : shape.exec(text);
  if (!match) throw new RangeError(`not a duration: ${JSON.stringify(text)}; write for example 72h or 1h30m`);
  const [, hours, minutes, seconds] = match;
  return amount(hours) * hourMs + amount(minutes) * minuteMs + amount(seconds) * secondMs;
}

const amount = (part: string | undefined): number => (part === undefined ? 0 : Number(part.slice(0, -1)));

/** The shortest text that parses back to `ms`, which is cut to whole seconds; `0s` for nothing or less. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / secondMs));
  const units: [number, string][] = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  return units.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('') || '0s';
}
