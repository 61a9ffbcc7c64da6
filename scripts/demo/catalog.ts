// The 32 entities of the demo's catalog.

export const databaseName = 'databricks_postgres';

interface Entity {
  readonly entity_id: string;
  readonly entity_ref: string;
  readonly hash: string;
  readonly final_entity: object;
}

const teams = ['checkout', 'catalog', 'search', 'platform'];
const kinds = ['component', 'api', 'resource', 'system'];
const names = ['orders', 'prices'];

export const entities: readonly Entity[] = teams.flatMap((team) =>
  kinds.flatMap((kind) => names.map((name) => entityOf(team, kind, `${team}-${name}`))),
);

function entityOf(team: string, kind: string, name: string): Entity {
  return {
    entity_id: `${kind}-${name}`,
    entity_ref: `${kind}:default/${name}`,
    hash: Buffer.from(`${kind}${name}`).toString('hex').slice(0, 20),
    final_entity: { kind, metadata: { name, namespace: 'default' }, spec: { owner: `group:${team}` } },
  };
}
