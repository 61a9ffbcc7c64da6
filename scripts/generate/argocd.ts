// What Argo CD needs to know of our kinds, from the Lua files in deploy/argocd: the same health for each kind, and a
// patch for its settings.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  apiGroup,
  branchClassResource,
  databaseBranchResource,
  pointInTimeRestoreResource,
} from '../../src/api/names.ts';

/** In the layout of Argo CD's own repository, so that it can be handed in there as it is. */
const customizations = `deploy/argocd/resource_customizations/${apiGroup}`;
const branch = `${customizations}/${databaseBranchResource.kind}`;
const read = (path: string): string => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');

/** In the order in which Argo CD shows them. */
export const argocdActions = ['rotate', 'extend', 'reset', 'pause', 'resume'] as const;

/** Paths in the repository, and what they hold. The health of a DatabaseBranch is the source; other kinds obey the same laws. */
export function argocdFiles(): (readonly [string, string])[] {
  const health = read(`${branch}/health.lua`);
  return [
    ...[branchClassResource, pointInTimeRestoreResource].map(
      ({ kind }) => [`${customizations}/${kind}/health.lua`, health] as const,
    ),
    ['deploy/argocd/argocd-cm.yaml', argocdConfig(health)],
  ];
}

function argocdConfig(health: string): string {
  const actions = {
    'discovery.lua': read(`${branch}/actions/discovery.lua`),
    definitions: argocdActions.map((name) => ({ name, 'action.lua': read(`${branch}/actions/${name}/action.lua`) })),
  };
  const kinds = [databaseBranchResource, pointInTimeRestoreResource, branchClassResource].map(({ kind }) => kind);
  const config = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'argocd-cm', namespace: 'argocd', labels: { 'app.kubernetes.io/part-of': 'argocd' } },
    data: {
      ...Object.fromEntries(kinds.map((kind) => [`resource.customizations.health.${apiGroup}_${kind}`, health])),
      [`resource.customizations.actions.${apiGroup}_${databaseBranchResource.kind}`]: stringify(actions, literal),
    },
  };
  return [
    '# Generated from the Lua files beside it by `npm run generate`. Do not edit.',
    '# Adds these settings to those that Argo CD has:',
    '#   kubectl apply --server-side --field-manager=lakebranch -f deploy/argocd/argocd-cm.yaml',
    stringify(config, literal),
  ].join('\n');
}

const literal = { lineWidth: 0, blockQuote: 'literal' } as const;
