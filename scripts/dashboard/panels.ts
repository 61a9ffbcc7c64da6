// What the dashboard shows: rows of panels, each with its expressions. The JSON for Grafana is made of this, and so is the
// picture in the documentation.

export interface Target {
  readonly expr: string;
  /** Names a line, with `{{label}}` for the value of a label. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly description: string;
  /** `stat` shows the last value, `lines` its course, `stacked` the same with areas on top of each other, `bars` one bar for each series. */
  readonly kind: 'stat' | 'lines' | 'stacked' | 'bars';
  readonly unit: 'short' | 's' | 'percentunit' | 'bytes' | 'reqps' | 'ops';
  /** In 24ths of the width. */
  readonly width: number;
  readonly targets: readonly Target[];
  /** From this value on, or down to it, it is yellow, then red. */
  readonly alarm?: { readonly when: 'above' | 'below'; readonly yellow: number; readonly red: number };
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Chosen at the top of the dashboard. */
const chosen = 'class=~"$class"';

const one = (expr: string, legend = ''): readonly Target[] => [{ expr, legend }];
const states = (state: string): readonly Target[] =>
  one(`sum(max by (class) (lakebranch_databasebranches{${chosen},state="${state}"}))`);
/** Of a histogram, for each of `labels`. */
const quantile = (share: number, metric: string, more = '', labels: readonly string[] = []): string =>
  `histogram_quantile(${share}, sum by (${['le', ...labels].join(', ')}) (rate(${metric}_bucket${more === '' ? '' : `{${more}}`}[$__rate_interval])))`;
const left = (metric: string): string => `min by (class) (max by (class) (${metric}{${chosen}})) - time()`;
const late = (metric: string): string => `time() - max by (class) (${metric}{${chosen}})`;
const byObject = (metric: string): string =>
  `max by (namespace, name) (${metric}) - time() and on (namespace, name) lakebranch_databasebranch_info{${chosen}}`;

const now: Row = {
  title: 'Now',
  panels: [
    {
      title: 'Ready',
      description: 'The Secret holds a login that works.',
      kind: 'stat',
      unit: 'short',
      width: 3,
      targets: states('ready'),
    },
    {
      title: 'Progressing',
      description: 'The operator is at work, or waits for something that passes.',
      kind: 'stat',
      unit: 'short',
      width: 3,
      targets: states('progressing'),
    },
    {
      title: 'Stalled',
      description: 'Wait for a person.',
      kind: 'stat',
      unit: 'short',
      width: 3,
      targets: states('stalled'),
      alarm: { when: 'above', yellow: 1, red: 10 },
    },
    {
      title: 'Waiting for a slot',
      description: 'Objects in line for a branch of their project.',
      kind: 'stat',
      unit: 'short',
      width: 3,
      targets: one(`sum(max by (class) (lakebranch_queued_databasebranches{${chosen}}))`),
      alarm: { when: 'above', yellow: 1, red: 10 },
    },
    {
      title: 'First token dies in',
      description: 'Each is replaced at about half of its life.',
      kind: 'stat',
      unit: 's',
      width: 3,
      targets: one(`min(${left('lakebranch_credential_earliest_expiry_timestamp_seconds')})`),
      alarm: { when: 'below', yellow: 900, red: 300 },
    },
    {
      title: 'First lease ends in',
      description: 'Leases are extended every 12 hours.',
      kind: 'stat',
      unit: 's',
      width: 3,
      targets: one(`min(${left('lakebranch_lease_earliest_expiry_timestamp_seconds')})`),
      alarm: { when: 'below', yellow: 259_200, red: 21_600 },
    },
    {
      title: 'Refusals, last day',
      description: 'What could not be proved to be the own branch or Secret of an object.',
      kind: 'stat',
      unit: 'short',
      width: 3,
      targets: one('sum(increase(lakebranch_refusals_total[1d]))'),
      alarm: { when: 'above', yellow: 1, red: 1 },
    },
    {
      title: 'Leaders',
      description: 'Exactly one process should lead.',
      kind: 'stat',
      unit: 'short',
      width: 3,
      targets: one('sum(leader_election_master_status{name="lakebranch"})'),
      alarm: { when: 'below', yellow: 0.5, red: 0.5 },
    },
  ],
};

const branches: Row = {
  title: 'Branches',
  panels: [
    {
      title: 'Objects by state',
      description: '',
      kind: 'stacked',
      unit: 'short',
      width: 8,
      targets: one(`sum by (state) (max by (class, state) (lakebranch_databasebranches{${chosen}}))`, '{{state}}'),
    },
    {
      title: 'Not ready, by reason',
      description: 'docs/reasons.md explains each reason.',
      kind: 'stacked',
      unit: 'short',
      width: 8,
      targets: one(
        `sum by (reason) (max by (class, reason) (lakebranch_databasebranches_not_ready{${chosen}}))`,
        '{{reason}}',
      ),
    },
    {
      title: 'From create to Secret, from delete to gone',
      description: 'A place in the line included.',
      kind: 'lines',
      unit: 's',
      width: 8,
      targets: [
        { expr: quantile(0.5, 'lakebranch_databasebranch_creation_duration_seconds', chosen), legend: 'create p50' },
        { expr: quantile(0.95, 'lakebranch_databasebranch_creation_duration_seconds', chosen), legend: 'create p95' },
        { expr: quantile(0.95, 'lakebranch_databasebranch_deletion_duration_seconds', chosen), legend: 'delete p95' },
      ],
    },
  ],
};

const credentials: Row = {
  title: 'Credentials',
  panels: [
    {
      title: 'Life left of the first token to die',
      description: 'Saw teeth above a quarter of the life are good.',
      kind: 'lines',
      unit: 's',
      width: 8,
      targets: one(left('lakebranch_credential_earliest_expiry_timestamp_seconds'), '{{class}}'),
      alarm: { when: 'below', yellow: 900, red: 300 },
    },
    {
      title: 'Tokens written, by cause',
      description: '',
      kind: 'stacked',
      unit: 'ops',
      width: 8,
      targets: one('sum by (reason) (rate(lakebranch_credential_issues_total[$__rate_interval]))', '{{reason}}'),
    },
    {
      title: 'Requests for tokens, by outcome',
      description: '',
      kind: 'stacked',
      unit: 'reqps',
      width: 8,
      targets: one(
        'sum by (outcome) (rate(lakebranch_provider_requests_total{verb="mintCredential"}[$__rate_interval])) > 0',
        '{{outcome}}',
      ),
    },
  ],
};

const room: Row = {
  title: 'Leases and room',
  panels: [
    {
      title: 'Since the last extension of a lease',
      description: 'More than 12 hours is late.',
      kind: 'lines',
      unit: 's',
      width: 8,
      targets: one(late('lakebranch_lease_oldest_extension_timestamp_seconds'), '{{class}}'),
      alarm: { when: 'above', yellow: 54_000, red: 86_400 },
    },
    {
      title: 'Branches in use of those that a class may have',
      description: '',
      kind: 'lines',
      unit: 'percentunit',
      width: 8,
      targets: one(
        `max by (class) (lakebranch_branchclass_branches{${chosen}}) / max by (class) (lakebranch_branchclass_branches_limit{${chosen}})`,
        '{{class}}',
      ),
      alarm: { when: 'above', yellow: 0.8, red: 1 },
    },
    {
      title: 'Longest wait for a slot',
      description: '',
      kind: 'lines',
      unit: 's',
      width: 8,
      targets: one(late('lakebranch_queue_oldest_start_timestamp_seconds'), '{{class}}'),
      alarm: { when: 'above', yellow: 900, red: 3600 },
    },
  ],
};

const provider: Row = {
  title: 'Lakebase',
  panels: [
    {
      title: 'Calls by outcome',
      description: '',
      kind: 'stacked',
      unit: 'reqps',
      width: 8,
      targets: one('sum by (outcome) (rate(lakebranch_provider_requests_total[$__rate_interval])) > 0', '{{outcome}}'),
    },
    {
      title: 'Calls by verb',
      description: '',
      kind: 'stacked',
      unit: 'reqps',
      width: 8,
      targets: one('sum by (verb) (rate(lakebranch_provider_requests_total[$__rate_interval])) > 0', '{{verb}}'),
    },
    {
      title: 'Duration of calls, p95',
      description: 'Retries included.',
      kind: 'lines',
      unit: 's',
      width: 8,
      targets: one(quantile(0.95, 'lakebranch_provider_request_duration_seconds', '', ['verb']), '{{verb}}'),
    },
  ],
};

const restores: Row = {
  title: 'Restores',
  panels: [
    {
      title: 'Restores that ended',
      description: '',
      kind: 'lines',
      unit: 'short',
      width: 8,
      targets: one('sum by (outcome) (lakebranch_restores_total) > 0', '{{outcome}}'),
    },
    {
      title: 'Duration, p95',
      description: '',
      kind: 'lines',
      unit: 's',
      width: 8,
      targets: one(quantile(0.95, 'lakebranch_restore_duration_seconds', '', ['outcome']), '{{outcome}}'),
    },
    {
      title: 'What waits for a look',
      description: 'Conditions that need attention, and branches without a lease.',
      kind: 'lines',
      unit: 'short',
      width: 8,
      targets: [
        {
          expr: `sum by (condition) (max by (class, condition) (lakebranch_databasebranches_with_condition{${chosen}}))`,
          legend: '{{condition}}',
        },
        { expr: `sum(max by (class) (lakebranch_unleased_branches{${chosen}}))`, legend: 'unleased' },
      ],
    },
  ],
};

const operator: Row = {
  title: 'The operator',
  panels: [
    {
      title: 'Passes by result',
      description: '',
      kind: 'stacked',
      unit: 'ops',
      width: 6,
      targets: one(
        'sum by (result) (rate(controller_runtime_reconcile_total{controller=~"databasebranch|branchclass|pointintimerestore"}[$__rate_interval]))',
        '{{result}}',
      ),
    },
    {
      title: 'Wait for a worker, p95',
      description: '',
      kind: 'lines',
      unit: 's',
      width: 6,
      targets: one(
        quantile(
          0.95,
          'workqueue_queue_duration_seconds',
          'controller=~"databasebranch|branchclass|pointintimerestore"',
          ['controller'],
        ),
        '{{controller}}',
      ),
    },
    {
      title: 'Requests to the API server by code',
      description: '',
      kind: 'stacked',
      unit: 'reqps',
      width: 6,
      targets: one(
        'sum by (code) (rate(rest_client_requests_total[$__rate_interval]) and on (instance) lakebranch_build_info)',
        '{{code}}',
      ),
    },
    {
      title: 'Memory',
      description: 'Resident, of each process.',
      kind: 'lines',
      unit: 'bytes',
      width: 6,
      targets: one('process_resident_memory_bytes and on (instance) lakebranch_build_info', '{{instance}}'),
    },
  ],
};

const objects: Row = {
  title: 'Objects',
  panels: [
    {
      title: 'Tokens that die first',
      description: 'Empty with LAKEBRANCH_METRICS_PER_OBJECT=false.',
      kind: 'bars',
      unit: 's',
      width: 12,
      targets: one(
        `bottomk(10, ${byObject('lakebranch_databasebranch_credential_expiry_timestamp_seconds')})`,
        '{{namespace}}/{{name}}',
      ),
    },
    {
      title: 'Branches that end first',
      description: 'Empty with LAKEBRANCH_METRICS_PER_OBJECT=false.',
      kind: 'bars',
      unit: 's',
      width: 12,
      targets: one(
        `bottomk(10, ${byObject('lakebranch_databasebranch_expiry_timestamp_seconds')})`,
        '{{namespace}}/{{name}}',
      ),
    },
  ],
};

export const rows: readonly Row[] = [now, branches, credentials, room, provider, restores, operator, objects];
