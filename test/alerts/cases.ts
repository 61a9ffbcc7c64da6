// When each alert fires and when it keeps quiet, as series that Prometheus is shown. Time begins at 0.

export interface AlertCase {
  readonly alert: string;
  readonly when: string;
  /** Series → values in the notation of promtool: `a+bxn` is a, a+b, … with n steps, `_` is no sample. */
  readonly series: Readonly<Record<string, string>>;
  /** Between two samples; a minute if absent. */
  readonly step?: '10m';
  /** When it is looked at. */
  readonly at: string;
  /** The labels of the alert beside its severity; undefined: it keeps quiet. */
  readonly fires?: Readonly<Record<string, string>>;
  /** What stands where its texts show the value. */
  readonly value?: string;
  /** What stands where its texts name objects. */
  readonly names?: string;
}

const ofClass = { class: 'default' };
const minutes = (count: number): number => count * 60;
const hours = (count: number): number => count * 3600;
/** The same value for a day and more. */
const constant = (value: number): string => `${value}x3000`;

const leader = (pod: string): string =>
  `leader_election_master_status{name="lakebranch",namespace="lakebranch-system",pod="${pod}"}`;
const info = (name: string, className = 'default'): Record<string, string> => ({
  [`lakebranch_databasebranch_info{namespace="pr-1",name="${name}",class="${className}",origin="Branch"}`]: constant(1),
});
const at = (metric: string, name: string, value: number): Record<string, string> => ({
  [`${metric}{namespace="pr-1",name="${name}"}`]: constant(value),
});
const perClass = (metric: string, value: number, labels = ''): Record<string, string> => ({
  [`${metric}{class="default"${labels}}`]: constant(value),
});

const expiry = 'lakebranch_credential_earliest_expiry_timestamp_seconds';
const quarter = 'lakebranch_credential_earliest_quarter_left_timestamp_seconds';
const tokenExpiry = 'lakebranch_databasebranch_credential_expiry_timestamp_seconds';
/** A token of an hour that was issued at 0 and is not renewed. */
const hourToken = { ...perClass(expiry, minutes(60)), ...perClass(quarter, minutes(45)) };
const mint = (outcome: string): string =>
  `lakebranch_provider_requests_total{verb="mintCredential",outcome="${outcome}"}`;
const call = (outcome: string): string => `lakebranch_provider_requests_total{verb="getBranch",outcome="${outcome}"}`;

const operator: readonly AlertCase[] = [
  {
    alert: 'LakebranchDown',
    when: 'no process was scraped for six minutes',
    series: { [leader('a')]: '1x10 _x20' },
    at: '22m',
    fires: { name: 'lakebranch' },
  },
  {
    alert: 'LakebranchDown',
    when: 'a process stands by',
    series: { [leader('a')]: constant(0) },
    at: '22m',
  },
  {
    alert: 'LakebranchNoLeader',
    when: 'two processes stand by and neither leads',
    series: { [leader('a')]: constant(0), [leader('b')]: constant(0) },
    at: '6m',
    fires: { namespace: 'lakebranch-system' },
  },
  {
    alert: 'LakebranchNoLeader',
    when: 'the other process took over within a minute',
    series: { [leader('a')]: '1x9 0x60', [leader('b')]: '0x10 1x60' },
    at: '30m',
  },
  {
    alert: 'LakebranchTwoLeaders',
    when: 'two processes lead',
    series: { [leader('a')]: constant(1), [leader('b')]: constant(1) },
    at: '5m',
    fires: { namespace: 'lakebranch-system' },
  },
  {
    alert: 'LakebranchTwoLeaders',
    when: 'two installations have one leader each',
    series: {
      [leader('a')]: constant(1),
      'leader_election_master_status{name="lakebranch",namespace="team-b",pod="b"}': constant(1),
    },
    at: '5m',
  },
  {
    alert: 'LakebranchPassesFail',
    when: 'every pass fails',
    series: { 'controller_runtime_reconcile_errors_total{controller="databasebranch"}': '0+2x60' },
    at: '20m',
    fires: { controller: 'databasebranch' },
  },
  {
    alert: 'LakebranchPassesFail',
    when: 'the API server was away for a moment, and another operator of the cluster fails',
    series: {
      'controller_runtime_reconcile_errors_total{controller="databasebranch"}': '0x5 4x60',
      'controller_runtime_reconcile_errors_total{controller="certificate"}': '0+9x60',
    },
    at: '20m',
  },
  {
    alert: 'LakebranchPassHangs',
    when: 'one pass goes on and on',
    series: { 'workqueue_longest_running_processor_seconds{controller="branchclass",name="branchclass"}': '0+60x60' },
    at: '20m',
    fires: { controller: 'branchclass' },
  },
  {
    alert: 'LakebranchPassHangs',
    when: 'passes take as long as they may',
    series: {
      'workqueue_longest_running_processor_seconds{controller="branchclass",name="branchclass"}': constant(89),
    },
    at: '20m',
  },
];

const credentials: readonly AlertCase[] = [
  {
    alert: 'LakebranchTokenLow',
    when: 'a token of an hour has fourteen minutes left',
    series: hourToken,
    at: '48m',
    fires: ofClass,
  },
  {
    alert: 'LakebranchTokenLow',
    when: 'its object can be named',
    series: {
      ...hourToken,
      ...info('database'),
      ...at(tokenExpiry, 'database', minutes(60)),
      ...info('other', 'another'),
      ...at(tokenExpiry, 'other', minutes(50)),
    },
    at: '48m',
    fires: ofClass,
    names: 'pr-1/database ',
  },
  {
    alert: 'LakebranchTokenLow',
    when: 'each token is renewed at the latest moment that is planned, 55 % of its life',
    series: { [`${quarter}{class="default"}`]: '2700x33 4680x33 6660x33' },
    at: '65m',
  },
  {
    alert: 'LakebranchTokenAboutToExpire',
    when: 'a token has three minutes left',
    series: hourToken,
    at: '57m',
    fires: ofClass,
  },
  {
    alert: 'LakebranchTokenAboutToExpire',
    when: 'a token has ten minutes left',
    series: hourToken,
    at: '50m',
  },
  {
    alert: 'LakebranchTokenAboutToExpire',
    when: 'the provider grants tokens of ten minutes, and one that was renewed in time has four and a half left',
    series: { ...perClass(expiry, minutes(10)), ...perClass(quarter, minutes(7.5)) },
    at: '6m',
  },
  {
    alert: 'LakebranchTokenExpired',
    when: 'a token is dead for two minutes',
    series: hourToken,
    at: '62m',
    fires: ofClass,
  },
  {
    alert: 'LakebranchTokenExpired',
    when: 'the dead token of an object that is paused does not count, and the class has no other',
    series: at(tokenExpiry, 'database', minutes(60)),
    at: '70m',
  },
  {
    alert: 'LakebranchMintFails',
    when: 'every request for a token is refused',
    series: { [mint('ok')]: '7x60', [mint('denied')]: '0+1x60' },
    at: '20m',
    fires: {},
  },
  {
    alert: 'LakebranchMintFails',
    when: 'one in three is throttled and repeated',
    series: { [mint('ok')]: '0+2x60', [mint('throttled')]: '0+1x60' },
    at: '20m',
  },
  {
    alert: 'LakebranchRefusals',
    when: 'an endpoint could not be proved to be the own one, once',
    series: { 'lakebranch_refusals_total{reason="EndpointMismatch"}': '0x10 1x60' },
    at: '20m',
    fires: { reason: 'EndpointMismatch' },
  },
  {
    alert: 'LakebranchRefusals',
    when: 'the last one was two hours ago',
    series: { 'lakebranch_refusals_total{reason="EndpointMismatch"}': '0x10 1x200' },
    at: '140m',
  },
];

const extension = 'lakebranch_lease_oldest_extension_timestamp_seconds';
const leaseEnd = 'lakebranch_lease_earliest_expiry_timestamp_seconds';

const leases: readonly AlertCase[] = [
  {
    alert: 'LakebranchLeaseNotExtended',
    when: 'a lease is a day old, and some minutes',
    series: {
      ...perClass(extension, 0),
      ...info('database'),
      ...at('lakebranch_databasebranch_lease_expiry_timestamp_seconds', 'database', hours(96)),
    },
    step: '10m',
    at: '1460m',
    fires: ofClass,
    names: 'pr-1/database ',
  },
  {
    alert: 'LakebranchLeaseNotExtended',
    when: 'leases are extended every twelve hours',
    series: { [`${extension}{class="default"}`]: '0x72 43200x72 86400x72' },
    step: '10m',
    at: '1460m',
  },
  {
    alert: 'LakebranchLeaseEndsSoon',
    when: 'a lease of 24 hours has five and a half left',
    series: perClass(leaseEnd, hours(24)),
    step: '10m',
    at: '1120m',
    fires: ofClass,
  },
  {
    alert: 'LakebranchLeaseEndsSoon',
    when: 'a lease of 24 hours is about to be extended for the first time',
    series: perClass(leaseEnd, hours(24)),
    step: '10m',
    at: '730m',
  },
  {
    alert: 'LakebranchUnleased',
    when: 'one branch has no lease',
    series: perClass('lakebranch_unleased_branches', 1),
    at: '65m',
    fires: ofClass,
  },
  { alert: 'LakebranchUnleased', when: 'all have one', series: perClass('lakebranch_unleased_branches', 0), at: '65m' },
  {
    alert: 'LakebranchLeftToLease',
    when: 'one object was let go',
    series: { lakebranch_left_to_lease_total: '0x10 1x60' },
    at: '20m',
    fires: {},
  },
  {
    alert: 'LakebranchLeftToLease',
    when: 'none was, though the process was restarted',
    series: { lakebranch_left_to_lease_total: '3x10 0x60' },
    at: '20m',
  },
];

const progress = 'lakebranch_progress_earliest_start_timestamp_seconds';
const deletion = 'lakebranch_deletion_earliest_start_timestamp_seconds';
const stalled =
  'lakebranch_databasebranch_status_condition{namespace="pr-1",name="database",condition="Stalled",status="True"}';

const branches: readonly AlertCase[] = [
  {
    alert: 'LakebranchBranchNotReady',
    when: 'an object is at work for 36 minutes',
    series: perClass(progress, 0),
    at: '36m',
    fires: ofClass,
  },
  {
    alert: 'LakebranchBranchNotReady',
    when: 'one object after another comes and is ready',
    series: { [`${progress}{class="default"}`]: '0+60x100' },
    at: '90m',
  },
  {
    alert: 'LakebranchBranchStalled',
    when: 'an object waits for a person',
    series: {
      ...perClass('lakebranch_databasebranches', 1, ',state="stalled"'),
      ...info('database'),
      [stalled]: constant(1),
    },
    at: '20m',
    fires: ofClass,
    names: 'pr-1/database ',
  },
  {
    alert: 'LakebranchBranchStalled',
    when: 'objects have expired, as they should',
    series: {
      ...perClass('lakebranch_databasebranches', 0, ',state="stalled"'),
      ...perClass('lakebranch_databasebranches', 4, ',state="ended"'),
    },
    at: '20m',
  },
  {
    alert: 'LakebranchDeletionStuck',
    when: 'an object has been in deletion for 36 minutes',
    series: perClass(deletion, 0),
    at: '36m',
    fires: ofClass,
  },
  {
    alert: 'LakebranchDeletionStuck',
    when: 'objects go one after another',
    series: { [`${deletion}{class="default"}`]: '0+60x100' },
    at: '90m',
  },
  {
    alert: 'LakebranchDrifted',
    when: 'somebody protected a branch by hand',
    series: perClass('lakebranch_databasebranches_with_condition', 1, ',condition="Drifted"'),
    at: '35m',
    fires: ofClass,
  },
  {
    alert: 'LakebranchDrifted',
    when: 'an object expires soon, which is no drift',
    series: {
      ...perClass('lakebranch_databasebranches_with_condition', 0, ',condition="Drifted"'),
      ...perClass('lakebranch_databasebranches_with_condition', 1, ',condition="Expiring"'),
    },
    at: '35m',
  },
  {
    alert: 'LakebranchRestoreFailed',
    when: 'a restore missed its instant',
    series: { 'lakebranch_restores_total{outcome="TimeSkewTooLarge"}': '0x10 1x60' },
    at: '20m',
    fires: { outcome: 'TimeSkewTooLarge' },
  },
  {
    alert: 'LakebranchRestoreFailed',
    when: 'a restore was done',
    series: { 'lakebranch_restores_total{outcome="Restored"}': '0x10 1x60' },
    at: '20m',
  },
];

const room: readonly AlertCase[] = [
  {
    alert: 'LakebranchClassNearlyFull',
    when: 'eight of ten branches are in use',
    value: '80%',
    series: {
      ...perClass('lakebranch_branchclass_branches', 8),
      ...perClass('lakebranch_branchclass_branches_limit', 10),
    },
    at: '35m',
    fires: ofClass,
  },
  {
    alert: 'LakebranchClassNearlyFull',
    when: 'seven of ten are',
    series: {
      ...perClass('lakebranch_branchclass_branches', 7),
      ...perClass('lakebranch_branchclass_branches_limit', 10),
    },
    at: '35m',
  },
  {
    alert: 'LakebranchQueueWaits',
    when: 'the first in line waits for 66 minutes',
    series: {
      ...perClass('lakebranch_queue_oldest_start_timestamp_seconds', 0),
      ...info('database'),
      ...at('lakebranch_databasebranch_queue_position', 'database', 1),
    },
    at: '66m',
    fires: ofClass,
    names: 'pr-1/database ',
  },
  {
    alert: 'LakebranchQueueWaits',
    when: 'the line moves',
    series: { 'lakebranch_queue_oldest_start_timestamp_seconds{class="default"}': '0+60x200' },
    at: '150m',
  },
];

const provider: readonly AlertCase[] = [
  {
    alert: 'LakebranchClassNotReady',
    when: 'a class is not Ready for eleven minutes',
    series: perClass('lakebranch_branchclass_ready', 0),
    at: '11m',
    fires: ofClass,
  },
  {
    alert: 'LakebranchClassNotReady',
    when: 'a class was not Ready for a moment',
    series: { 'lakebranch_branchclass_ready{class="default"}': '1x5 0x2 1x60' },
    at: '20m',
  },
  {
    alert: 'LakebranchProviderFails',
    when: 'no call gets through',
    series: { [call('ok')]: '50x60', [call('unreachable')]: '0+6x60' },
    at: '30m',
    fires: {},
  },
  {
    alert: 'LakebranchProviderFails',
    when: 'branches that are looked for are not there, which is an answer',
    series: { [call('ok')]: '0+1x60', [call('notFound')]: '0+6x60', [call('throttled')]: '0+1x60' },
    at: '30m',
  },
];

export const alertCases: readonly AlertCase[] = [
  ...operator,
  ...credentials,
  ...leases,
  ...branches,
  ...room,
  ...provider,
];
