// What the API server notes of the requests of one user.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Of an audit event, as far as it is read here. */
interface AuditEvent {
  readonly verb: string;
  readonly objectRef?: { resource: string; subresource?: string; namespace?: string; name?: string };
  readonly responseStatus?: { readonly code?: number };
}

export class Audit {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async of(username: string): Promise<Audit> {
    const audit = new Audit(await mkdtemp(join(tmpdir(), 'lakebranch-audit-')));
    const policy = {
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      omitStages: ['RequestReceived', 'ResponseStarted'],
      rules: [{ level: 'Metadata', users: [username] }, { level: 'None' }],
    };
    await writeFile(audit.#policy, JSON.stringify(policy));
    return audit;
  }

  get apiServerArgs(): string[] {
    return [`--audit-policy-file=${this.#policy}`, `--audit-log-path=${this.#log}`];
  }

  /** Requests that were forbidden, since `from`. */
  async refused(from: number): Promise<AuditEvent[]> {
    const lines = (await this.#text())
      .slice(from)
      .split('\n')
      .filter((line) => line.endsWith('}'));
    const events = lines.map((line) => JSON.parse(line) as AuditEvent);
    return events.filter(({ responseStatus }) => responseStatus?.code === 403);
  }

  /** For `refused`: what is written from now on. */
  async position(): Promise<number> {
    return (await this.#text()).length;
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }

  get #policy(): string {
    return join(this.#folder, 'policy.json');
  }

  get #log(): string {
    return join(this.#folder, 'audit.log');
  }

  #text(): Promise<string> {
    return readFile(this.#log, 'utf8').catch(() => '');
  }
}
