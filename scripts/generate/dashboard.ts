// charts/lakebranch/files/dashboard.json: the dashboard as Grafana imports it.
import { rows, type Panel, type Row } from '../dashboard/panels.ts';

const datasource = { type: 'prometheus', uid: '${datasource}' };
const colors = { fine: 'green', yellow: 'yellow', red: 'red' };

export function dashboardJson(): string {
  let id = 0;
  let y = 0;
  const panels = rows.flatMap((row) => {
    const height = heightOf(row);
    const header = {
      id: ++id,
      type: 'row',
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: 24, h: 1 },
    };
    let x = 0;
    const placed = row.panels.map((panel) => {
      const gridPos = { x, y: y + 1, w: panel.width, h: height };
      x += panel.width;
      return panelJson(panel, ++id, gridPos);
    });
    y += height + 1;
    return [header, ...placed];
  });
  const dashboard = {
    uid: 'lakebranch',
    title: 'lakebranch',
    tags: ['lakebranch', 'postgres'],
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    schemaVersion: 39,
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    templating: { list: [datasourceVariable, classVariable] },
    annotations: { list: [] },
    panels,
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}

const heightOf = ({ panels }: Row): number => (panels.every(({ kind }) => kind === 'stat') ? 4 : 8);

const datasourceVariable = { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' };
const classVariable = {
  name: 'class',
  label: 'Class',
  type: 'query',
  datasource,
  query: { query: 'label_values(lakebranch_branchclass_ready, class)', refId: 'class' },
  refresh: 2,
  includeAll: true,
  allValue: '.*',
  multi: true,
  current: { text: 'All', value: '$__all' },
};

const types = { stat: 'stat', lines: 'timeseries', stacked: 'timeseries', bars: 'bargauge' } as const;

function panelJson(panel: Panel, id: number, gridPos: object): object {
  const { title, description, kind, unit, targets } = panel;
  const instant = kind === 'stat' || kind === 'bars';
  return {
    id,
    type: types[kind],
    title,
    description,
    datasource,
    gridPos,
    targets: targets.map(({ expr, legend }, index) => ({
      refId: String.fromCodePoint(65 + index),
      datasource,
      expr,
      legendFormat: legend,
      instant,
      range: !instant,
    })),
    fieldConfig: {
      defaults: {
        unit,
        min: unit === 'percentunit' || kind === 'stacked' ? 0 : undefined,
        thresholds: thresholdsOf(panel),
        custom: lineStyle(kind),
      },
      overrides: [],
    },
    options: optionsOf(kind),
  };
}

function thresholdsOf({ alarm }: Panel): object {
  if (!alarm) return { mode: 'absolute', steps: [{ color: colors.fine, value: null }] };
  const { when, yellow, red } = alarm;
  const steps =
    when === 'above'
      ? [
          { color: colors.fine, value: null },
          { color: colors.yellow, value: yellow },
          { color: colors.red, value: red },
        ]
      : [
          { color: colors.red, value: null },
          { color: colors.yellow, value: red },
          { color: colors.fine, value: yellow },
        ];
  return { mode: 'absolute', steps };
}

function lineStyle(kind: Panel['kind']): object | undefined {
  if (kind === 'lines') return { lineWidth: 1, fillOpacity: 0, showPoints: 'never' };
  if (kind === 'stacked') return { lineWidth: 1, fillOpacity: 30, showPoints: 'never', stacking: { mode: 'normal' } };
  return undefined;
}

function optionsOf(kind: Panel['kind']): object {
  const reduceOptions = { calcs: ['lastNotNull'], fields: '', values: false };
  if (kind === 'stat') return { reduceOptions, colorMode: 'value', graphMode: 'none' };
  if (kind === 'bars') return { reduceOptions, orientation: 'horizontal', displayMode: 'basic' };
  return { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } };
}
