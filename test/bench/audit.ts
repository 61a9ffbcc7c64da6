// What the API server was asked and by whom, by its own audit log.
import { open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Audited {
  readonly atMs: number;
  /** The first word of the user agent. */
  readonly agent: string;
  readonly verb: string;
  /** `secrets`, `databasebranches/status`, … */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
}

/** Everything but what the control plane asks itself. */
const policy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', users: ['system:apiserver', 'system:kube-controller-manager'] },
    { level: 'None', userGroups: ['system:serviceaccounts:kube-system'] },
    { level: 'Metadata' },
  ],
};

export class AuditLog {
  readonly #file: string;
  readonly #policyFile: string;
  #from = 0;

  constructor(dir: string) {
    this.#file = join(dir, 'audit.jsonl');
    this.#policyFile = join(dir, 'audit-policy.json');
  }

  /** Flags of the API server. */
  async flags(): Promise<string[]> {
    await writeFile(this.#policyFile, JSON.stringify(policy));
    return [
      `--audit-policy-file=${this.#policyFile}`,
      `--audit-log-path=${this.#file}`,
      '--audit-log-maxsize=4000',
      // Each line is there before its answer is: a count taken now is complete.
      '--audit-log-mode=blocking-strict',
    ];
  }

  /** Later reads begin here. */
  async mark(): Promise<void> {
    this.#from = (await stat(this.#file)).size;
  }

  /** All requests since the mark of clients whose user agent begins with `agent`. A watch counts once, when it begins. */
  async requests(agent: string): Promise<Audited[]> {
    const file = await open(this.#file);
    const found: Audited[] = [];
    try {
      for await (const line of file.readLines({ start: this.#from, autoClose: false })) {
        const audited = parse(line);
        if (audited?.agent.startsWith(agent)) found.push(audited);
      }
    } finally {
      await file.close();
    }
    return found;
  }
}

interface Line {
  readonly stage: string;
  readonly verb: string;
  readonly userAgent?: string;
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

function parse(text: string): Audited | undefined {
  const line = lineOf(text);
  if (!line || line.stage !== (line.verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete')) return undefined;
  const { resource = '', subresource, namespace = '', name = '' } = line.objectRef ?? {};
  return {
    atMs: Date.parse(line.requestReceivedTimestamp),
    agent: (line.userAgent ?? '').split(' ')[0] ?? '',
    verb: line.verb,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    namespace,
    name,
    code: line.responseStatus?.code ?? 0,
  };
}

/** The last line may be half written. */
function lineOf(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}

/** The Lease is renewed whatever else there is to do, and belongs to no object. */
export const withoutLease = (requests: readonly Audited[]): Audited[] =>
  requests.filter(({ resource }) => resource !== 'leases');

/** How many of each, the most frequent first: for the reader who asks what it was. */
export function tally(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].toSorted(([, a], [, b]) => b - a);
  return sorted.map(([name, count]) => `${count} ${name}`).join(', ');
}
