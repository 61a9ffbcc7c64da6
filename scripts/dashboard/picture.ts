// The panels of the dashboard with their values as an SVG, for the documentation. Plain on purpose: what Grafana draws is
// nicer, but cannot be drawn without it. Pure.
import type { Panel, Row } from './panels.ts';

/** One line of a panel. `points` are seconds since 1970 and values, in order. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [at: number, value: number])[];
}

export interface Drawn {
  readonly row: Row;
  /** For each panel of the row its series. */
  readonly series: readonly (readonly Series[])[];
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

const unitWidth = 50;
const heights = { stat: 90, lines: 210, stacked: 210, bars: 210 };
const gap = 8;
const palette = [
  '#5794f2',
  '#73bf69',
  '#f2cc0c',
  '#ff780a',
  '#f2495c',
  '#b877d9',
  '#8ab8ff',
  '#96d98d',
  '#c0d8ff',
  '#ffb357',
];
const colors = {
  page: '#111217',
  panel: '#181b1f',
  line: '#2c3235',
  text: '#ccccdc',
  dim: '#8e8e9a',
  fine: '#73bf69',
  yellow: '#f2cc0c',
  red: '#f2495c',
};

export function dashboardSvg(drawn: readonly Drawn[], span: Span): string {
  const parts: string[] = [];
  let y = gap;
  for (const { row, series } of drawn) {
    parts.push(text(gap + 4, y + 18, row.title, { size: 15, weight: 600 }));
    y += 28;
    let x = 0;
    const height = Math.max(...row.panels.map(({ kind }) => heights[kind]));
    row.panels.forEach((panel, index) => {
      const box = { x: x * unitWidth + gap / 2, y, w: panel.width * unitWidth - gap, h: height - gap };
      parts.push(panelSvg(panel, series[index] ?? [], box, span));
      x += panel.width;
    });
    y += height;
  }
  const [width, height] = [24 * unitWidth, y + gap];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="Inter, Helvetica, Arial, sans-serif">`,
    `<rect width="${width}" height="${height}" fill="${colors.page}"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

function panelSvg(panel: Panel, series: readonly Series[], box: Box, span: Span): string {
  const frame = `<rect x="${box.x}" y="${box.y}" width="${box.w}" height="${box.h}" rx="3" fill="${colors.panel}" stroke="${colors.line}"/>`;
  const title = text(box.x + 8, box.y + 18, panel.title, { size: 12 });
  const body = { stat: statSvg, bars: barsSvg, lines: linesSvg, stacked: linesSvg }[panel.kind];
  return [frame, title, body(panel, series, box, span)].join('\n');
}

const lastOf = ({ points }: Series): number | undefined => points.at(-1)?.[1];

function statSvg(panel: Panel, series: readonly Series[], { x, y, w, h }: Box): string {
  const value = series[0] && lastOf(series[0]);
  const shown = value === undefined ? 'no data' : inUnit(value, panel.unit);
  return text(x + w / 2, y + h - 18, shown, {
    size: value === undefined ? 15 : 26,
    color: colorOf(panel, value),
    anchor: 'middle',
  });
}

function colorOf({ alarm }: Panel, value: number | undefined): string {
  if (value === undefined) return colors.dim;
  if (!alarm) return colors.fine;
  const beyond = (limit: number): boolean => (alarm.when === 'above' ? value >= limit : value < limit);
  if (beyond(alarm.red)) return colors.red;
  return beyond(alarm.yellow) ? colors.yellow : colors.fine;
}

function barsSvg(panel: Panel, series: readonly Series[], { x, y, w }: Box): string {
  const values = series
    .map((one) => ({ name: one.name, value: lastOf(one) ?? 0 }))
    .toSorted((a, b) => a.value - b.value);
  const most = Math.max(1, ...values.map(({ value }) => value));
  const bars = values.slice(0, 9).map(({ name, value }, index) => {
    const top = y + 30 + index * 18;
    const length = Math.max(2, ((w - 320) * Math.max(0, value)) / most);
    return [
      text(x + 8, top + 10, name, { size: 11 }),
      `<rect x="${x + 200}" y="${top}" width="${length.toFixed(1)}" height="12" fill="${colors.fine}" opacity="0.6"/>`,
      text(x + 208 + length, top + 10, inUnit(value, panel.unit), { size: 11, color: colors.dim }),
    ].join('\n');
  });
  return bars.join('\n');
}

function linesSvg(panel: Panel, given: readonly Series[], box: Box, span: Span): string {
  const plot = { x: box.x + 58, y: box.y + 30, w: box.w - 70, h: box.h - 78 };
  const series = given.filter(({ points }) => points.length > 0);
  const layers = panel.kind === 'stacked' ? stack(series) : series.map(({ points }) => points);
  const values = layers.flatMap((points) => points.map(([, value]) => value)).filter(Number.isFinite);
  if (values.length === 0)
    return text(box.x + box.w / 2, box.y + box.h / 2, 'no data', { size: 13, color: colors.dim, anchor: 'middle' });
  const low = panel.kind === 'stacked' || panel.unit === 'percentunit' ? 0 : Math.min(...values);
  const high = Math.max(...values, panel.unit === 'percentunit' ? 1 : low);
  const range = high - low || Math.abs(high) || 1;
  const at = ([time, value]: readonly [number, number]): string =>
    `${(plot.x + (plot.w * (time - span.from)) / (span.to - span.from)).toFixed(1)},${(plot.y + plot.h * (1 - (value - low) / range)).toFixed(1)}`;
  const grid = [0, 0.5, 1].map((share) => {
    const level = plot.y + plot.h * (1 - share);
    return `<line x1="${plot.x}" y1="${level}" x2="${plot.x + plot.w}" y2="${level}" stroke="${colors.line}"/>${text(plot.x - 6, level + 4, inUnit(low + range * share, panel.unit), { size: 10, color: colors.dim, anchor: 'end' })}`;
  });
  const times = [span.from, (span.from + span.to) / 2, span.to].map((time, index) =>
    text(plot.x + (plot.w * index) / 2, plot.y + plot.h + 14, new Date(time * 1000).toISOString().slice(11, 19), {
      size: 10,
      color: colors.dim,
      anchor: (['start', 'middle', 'end'] as const)[index]!,
    }),
  );
  const drawn = layers
    .map((points, index) =>
      curve(points, at, panel.kind === 'stacked' ? plot.y + plot.h : undefined, palette[index % palette.length]!),
    )
    .toReversed();
  return [...grid, ...times, ...drawn, legend(series, box)].join('\n');
}

type Points = Series['points'];

/** A gap in the samples is a gap in the line. */
function curve(
  points: Points,
  at: (point: readonly [number, number]) => string,
  floor: number | undefined,
  color: string,
): string {
  const pieces: (readonly [number, number])[][] = [];
  points.forEach((point, index) => {
    const before = points[index - 1];
    if (!before || point[0] - before[0] > longestGap) pieces.push([]);
    pieces.at(-1)?.push(point);
  });
  return pieces
    .map((piece) => {
      const path = piece.map(at);
      const area =
        floor === undefined
          ? ''
          : `<polygon points="${xOf(path[0])},${floor} ${path.join(' ')} ${xOf(path.at(-1))},${floor}" fill="${color}" opacity="0.35"/>`;
      return `${area}<polyline points="${path.join(' ')}" fill="none" stroke="${color}" stroke-width="1.5"/>`;
    })
    .join('');
}

/** Seconds. */
const longestGap = 15;
const xOf = (place = ''): string => place.split(',')[0] ?? '';

/** Each series on top of those before it. */
function stack(series: readonly Series[]): Points[] {
  const sums = new Map<number, number>();
  return series.map(({ points }) =>
    points.map(([time, value]) => {
      const sum = (sums.get(time) ?? 0) + value;
      sums.set(time, sum);
      return [time, sum] as const;
    }),
  );
}

function legend(series: readonly Series[], { x, y, w, h }: Box): string {
  let left = x + 10;
  let top = y + h - 22;
  return series
    .flatMap(({ name }, index) => {
      const length = 24 + name.length * 6;
      if (left + length > x + w) [left, top] = [x + 10, top + 14];
      if (name === '' || top > y + h - 4) return [];
      const item = `<rect x="${left}" y="${top - 7}" width="10" height="3" fill="${palette[index % palette.length]}"/>${text(left + 14, top, name, { size: 10, color: colors.dim })}`;
      left += length;
      return [item];
    })
    .join('');
}

function inUnit(value: number, unit: Panel['unit']): string {
  switch (unit) {
    case 's':
      return duration(value);
    case 'percentunit':
      return `${Math.round(value * 100)} %`;
    case 'bytes':
      return `${(value / 1e6).toFixed(0)} MB`;
    case 'reqps':
    case 'ops':
      return `${short(value)}/s`;
    case 'short':
      return short(value);
  }
}

const short = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 1 ? 2 : 1);

function duration(seconds: number): string {
  const size = Math.abs(seconds);
  if (size < 1) return `${Math.round(seconds * 1000)} ms`;
  if (size < 120) return `${size < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (size < 7200) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3600).toFixed(0)} h`;
}

interface Style {
  readonly size: number;
  readonly color?: string;
  readonly weight?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
}

const text = (
  x: number,
  y: number,
  words: string,
  { size, color = colors.text, weight = 400, anchor = 'start' }: Style,
): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}" font-weight="${weight}" fill="${color}" text-anchor="${anchor}">${words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
