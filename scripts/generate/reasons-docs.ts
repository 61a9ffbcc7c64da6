// docs/reasons.md: what a person looks up when an object is not Ready.
import { conditionCatalogue } from '../../src/api/v1alpha1/conditions.ts';
import { reasonGroups, type ReasonEntry } from '../../src/api/v1alpha1/reasons.ts';

export function reasonsDocs(): string {
  const intro = [
    '<!-- Generated from src/api/v1alpha1/reasons.ts by `npm run generate`. Do not edit. -->',
    '# Conditions and reasons',
    '`kubectl get dbb` shows the reason of `Ready` in the column STATUS; `kubectl get dbb -o wide` and `kubectl describe` show the message too.',
    'A reason never changes its meaning. New ones may be added.',
    '## Conditions',
    [
      '| Condition | Meaning |',
      '|--|--|',
      ...Object.entries(conditionCatalogue).map(([type, meaning]) => `| \`${type}\` | ${meaning} |`),
    ].join('\n'),
  ];
  const groups = Object.entries(reasonGroups).flatMap(([title, reasons]) => [
    `## ${title}`,
    ...Object.entries<ReasonEntry>(reasons).flatMap(([name, entry]) => reasonDocs(name, entry)),
  ]);
  return [...intro, ...groups].join('\n\n') + '\n';
}

const reasonDocs = (name: string, { meaning, remedy, terminal }: ReasonEntry): string[] => [
  `### ${name}`,
  meaning,
  `**What to do:** ${remedy}${terminal ? ' Goes with `Stalled`: the operator cannot end it alone.' : ''}`,
];
