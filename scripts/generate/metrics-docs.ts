// docs/metrics.md: what each metric says, what it is for, and which labels it has.
import { sections, type MetricEntry } from '../../src/metrics/catalogue.ts';

export function metricsDocs(): string {
  const intro = [
    '<!-- Generated from src/metrics/catalogue.ts by `npm run generate`. Do not edit. -->',
    '# Metrics',
    'Served at `/metrics`; how, and who may read it: [operations](operations.md#metrics). Alerts on them: [alerts.md](alerts.md).',
    [
      '- Every replica knows every object, so that each shows the gauges about objects: take the `max` of them. Only the leader counts passes and requests of its loops: take the `sum`.',
      '- Gauges about objects are computed at each scrape; nothing is left of an object that is gone. Instants are given as timestamps, so that `time() - x` is an age. Where there is nothing, there is no series.',
      '- Counters whose labels have a known set of values begin at 0, so that `increase` sees the first event.',
      '- `class` is the name of a BranchClass as objects name it. No label ever holds the id or the host of a branch, a message or a token.',
      '- The labels `namespace` and `name` are those of the object. A scrape configuration that adds a label `namespace` of its own has to keep ours (`honorLabels: true`), or it becomes `exported_namespace`.',
      '- `process_*` and `nodejs_*` are those of [prom-client](https://github.com/siimon/prom-client).',
    ].join('\n'),
  ];
  const parts = Object.entries<Readonly<Record<string, MetricEntry>>>(sections).flatMap(([title, entries]) => [
    `## ${title}`,
    ...(Object.values(entries).some(({ perObject }) => perObject)
      ? [
          '`LAKEBRANCH_METRICS_PER_OBJECT=false` switches these off. All alerts work without them; they then name no object.',
        ]
      : []),
    ...Object.values(entries).flatMap(metricDocs),
  ]);
  return [...intro, ...parts].join('\n\n') + '\n';
}

function metricDocs({ name, type, help, why, labels, values = {}, buckets }: MetricEntry): string[] {
  const facts = [
    `- Type: ${type}`,
    ...labels.map(
      (label) => `- \`${label}\`${values[label] ? `: ${values[label].map((one) => `\`${one}\``).join(', ')}` : ''}`,
    ),
    ...(buckets ? [`- Buckets: ${buckets.join(', ')}`] : []),
  ];
  return [`### ${name}`, help, why, facts.join('\n')];
}
