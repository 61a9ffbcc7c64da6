// Every knob of the operator once: environment name, default, bounds. Returns a frozen Config, or complaints.
import { z } from 'zod';
import { parseDuration } from './api/duration.ts';

const port = z.coerce.number().int().min(0).max(65535);
/** Names of namespaces, separated by commas. */
const namespaceList = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  )
  .transform((names) => [...new Set(names)])
  .refine(
    (names) => names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)),
    'write names of namespaces, separated by commas',
  );

function hasReadableLogin(url: string): boolean {
  const { username, password } = new URL(url);
  try {
    return decodeURIComponent(`${username}:${password}`) !== '';
  } catch {
    return false;
  }
}

const proxyUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:/.test(text), {
    error: 'write a URL like http://proxy.example:3128',
    abort: true,
  })
  .refine(hasReadableLogin, 'write special characters of user and password percent-encoded, % itself as %25');

const duration = z
  .string()
  .regex(/^([0-9]+h)?([0-9]+m)?([0-9]+s)?$/, 'write a duration like 15m')
  .refine((text) => text !== '', 'write a duration like 15m');

/** What goes into the `aud` of a token. Their places name folders, so none may be left out or named twice. */
const audienceList = z
  .string()
  .default('')
  .transform((text) => (text === '' ? [] : text.split(',').map((audience) => audience.trim())))
  .refine(
    (audiences) => audiences.every((audience) => /^[!-~]+$/.test(audience)),
    'write audiences, separated by commas: no spaces within, and none of them empty',
  )
  .refine((audiences) => new Set(audiences).size === audiences.length, 'name each audience once');

const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** Environment variables of the operator; the chart and deploy/ set them. */
const environment = z.object({
  /** Where the operator runs: its Lease and the credential Secrets of classes live here. */
  LAKEBRANCH_NAMESPACE: z.string().min(1),
  /** Names this cluster in branch ids; the UID of kube-system when absent. Never change it while branches live. */
  LAKEBRANCH_CLUSTER_ID: z.string().min(1).max(128).optional(),
  /** Comma-separated cluster ids that this cluster had before: branches made under them are still found. */
  LAKEBRANCH_PREVIOUS_CLUSTER_IDS: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((id) => id.trim())
        .filter((id) => id !== ''),
    ),
  /** How long a deletion waits for a provider that cannot be reached before the lease is trusted. */
  LAKEBRANCH_DELETION_MAX_WAIT: duration.default('15m'),
  /** Comma-separated namespaces to watch; all when absent. */
  LAKEBRANCH_WATCH_NAMESPACES: namespaceList,
  /** All addresses when absent, of IPv4 and IPv6. */
  LAKEBRANCH_HTTP_HOST: z.string().optional(),
  /** /metrics, /healthz, /readyz; 0 takes a free port. */
  LAKEBRANCH_HTTP_PORT: port.default(8080),
  /** Plain: /metrics beside /healthz, for all. Protected: over HTTPS on a port of its own, for those who may. */
  LAKEBRANCH_METRICS_MODE: z.enum(['Plain', 'Protected']).default('Plain'),
  /** Of /metrics in mode Protected; 0 takes a free port. */
  LAKEBRANCH_METRICS_PORT: port.default(8443),
  /** Holds tls.crt and tls.key for mode Protected; a certificate is made when absent. */
  LAKEBRANCH_METRICS_CERT_DIR: z.string().min(1).optional(),
  /** Series for each object. */
  LAKEBRANCH_METRICS_PER_OBJECT: flag.default(true),
  LAKEBRANCH_LEADER_ELECTION: flag.default(true),
  /** Passes that may run at once. */
  LAKEBRANCH_WORKERS: z.coerce.number().int().min(1).max(256).default(16),
  /** Requests per second and workspace; twice as many may be sent in a burst. */
  LAKEBRANCH_PROVIDER_QPS: z.coerce.number().positive().max(1000).default(15),
  /** Unarchived branches that Lakebase allows in a project, its own included; raise it only if the provider raised yours. */
  LAKEBRANCH_PROJECT_LIMIT: z.coerce.number().int().min(1).max(10_000).default(10),
  /** Audiences that classes may choose for workload identity, separated by commas; each has a projected token. */
  LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES: audienceList,
  /** `<place in the list, from 0>/token` is the projected token of an audience. */
  LAKEBRANCH_WORKLOAD_IDENTITY_DIR: z.string().default('/var/run/secrets/lakebranch.dev/workload-identity'),
  LAKEBRANCH_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  /** The name under which this process holds the Lease. */
  POD_NAME: z.string().min(1).optional(),
  KUBECONFIG: z.string().min(1).optional(),
  HTTPS_PROXY: proxyUrl.optional(),
  NO_PROXY: z.string().min(1).optional(),
});

export interface Config {
  readonly namespace: string;
  readonly clusterID: string | undefined;
  readonly previousClusterIDs: readonly string[];
  readonly deletionMaxWaitMs: number;
  readonly watchNamespaces: readonly string[];
  readonly httpHost: string | undefined;
  readonly httpPort: number;
  readonly metrics: {
    readonly mode: 'Plain' | 'Protected';
    readonly port: number;
    readonly certificateFolder: string | undefined;
    readonly perObject: boolean;
  };
  readonly leaderElection: boolean;
  readonly workers: number;
  readonly providerQps: number;
  readonly projectLimit: number;
  readonly workloadIdentityAudiences: readonly string[];
  readonly workloadIdentityDir: string;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly identity: string;
  readonly kubeconfig: string | undefined;
  readonly proxy: { readonly url: string; readonly noProxy: string | undefined } | undefined;
}

/** One line for each setting that is missing or wrong, naming it; a value is never repeated. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export function readConfig(env: Readonly<Record<string, string | undefined>>, identity: string): Config {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(present);
  if (!parsed.success)
    throw new ConfigError(
      parsed.error.issues
        .map(
          (issue) =>
            `${issue.path.join('.')}: ${issue.path.some((key) => String(key) in present) ? issue.message : 'must be set'}`,
        )
        .join('; '),
    );
  const read = parsed.data;
  return Object.freeze({
    namespace: read.LAKEBRANCH_NAMESPACE,
    clusterID: read.LAKEBRANCH_CLUSTER_ID,
    previousClusterIDs: read.LAKEBRANCH_PREVIOUS_CLUSTER_IDS,
    deletionMaxWaitMs: parseDuration(read.LAKEBRANCH_DELETION_MAX_WAIT),
    watchNamespaces: read.LAKEBRANCH_WATCH_NAMESPACES,
    httpHost: read.LAKEBRANCH_HTTP_HOST,
    httpPort: read.LAKEBRANCH_HTTP_PORT,
    metrics: {
      mode: read.LAKEBRANCH_METRICS_MODE,
      port: read.LAKEBRANCH_METRICS_PORT,
      certificateFolder: read.LAKEBRANCH_METRICS_CERT_DIR,
      perObject: read.LAKEBRANCH_METRICS_PER_OBJECT,
    },
    leaderElection: read.LAKEBRANCH_LEADER_ELECTION,
    workers: read.LAKEBRANCH_WORKERS,
    providerQps: read.LAKEBRANCH_PROVIDER_QPS,
    projectLimit: read.LAKEBRANCH_PROJECT_LIMIT,
    workloadIdentityAudiences: read.LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES,
    workloadIdentityDir: read.LAKEBRANCH_WORKLOAD_IDENTITY_DIR,
    logLevel: read.LAKEBRANCH_LOG_LEVEL,
    identity: read.POD_NAME ?? identity,
    kubeconfig: read.KUBECONFIG,
    proxy: read.HTTPS_PROXY === undefined ? undefined : { url: read.HTTPS_PROXY, noProxy: read.NO_PROXY },
  });
}
