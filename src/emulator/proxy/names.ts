// Mode `names`: all endpoints share one address, and the name a client asks for in its TLS handshake tells them apart.
import { join } from 'node:path';
import { z } from 'zod';
import { parseKept, readIfThere, replaceFile } from '../kept-file.ts';
import type { Hosts } from './addresses.ts';

/** More than this is a slip of the pen. */
const mostNames = 10_000;

/**
 * How endpoints are named. With `*`, any name will do: `*.db.example.com` needs one wildcard record. With a range,
 * like `ep-{00..63}.lakebase.svc`, there are only so many names, and each is given out again when its turn comes.
 */
export type HostPattern =
  | { readonly kind: 'wildcard'; readonly before: string; readonly after: string }
  | { readonly kind: 'range'; readonly names: readonly string[] };

/** Throws an error that says what a pattern looks like. */
export function parseHostPattern(text: string): HostPattern {
  const pattern = parseWildcard(text) ?? parseRange(text);
  if (!pattern) {
    throw new Error(`${text} is no pattern of host names: write *.db.example.com or ep-{00..63}.lakebase.svc`);
  }
  return pattern;
}

function parseWildcard(text: string): HostPattern | undefined {
  const [whole, before = '', after = ''] = /^([a-z0-9-]*)\*(\.[a-z0-9.-]+)$/.exec(text) ?? [];
  return whole === undefined ? undefined : { kind: 'wildcard', before, after };
}

function parseRange(text: string): HostPattern | undefined {
  const parts = /^(?<before>[a-z0-9-]*)\{(?<first>\d+)\.\.(?<last>\d+)\}(?<after>[a-z0-9.-]*)$/.exec(text)?.groups;
  if (!parts) return undefined;
  const { before = '', first = '', last = '', after = '' } = parts;
  const count = Number(last) - Number(first) + 1;
  if (count < 1 || count > mostNames) return undefined;
  const numbers = Array.from({ length: count }, (_, at) => String(Number(first) + at).padStart(first.length, '0'));
  return { kind: 'range', names: numbers.map((number) => `${before}${number}${after}`) };
}

/** The names that the one certificate of this mode carries. */
export function certificateNames(pattern: HostPattern): string[] {
  const domains = pattern.kind === 'wildcard' ? [pattern.after] : pattern.names.map(domainOf);
  const names = [...new Set(domains)].filter((domain) => domain !== '').map((domain) => `*${domain}`);
  const inCluster = names.filter((name) => name.endsWith('.svc')).map((name) => `${name}.cluster.local`);
  return [...names, ...inCluster, 'localhost', '127.0.0.1'];
}

/** The name under which an endpoint is known, for what a client called it: in a cluster the suffix may be there. */
export const canonicalName = (serverName: string): string =>
  serverName
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/\.svc\.cluster\.local$/, '.svc');

const domainOf = (name: string): string => (name.includes('.') ? name.slice(name.indexOf('.')) : '');

const keptSchema = z.object({
  hosts: z.record(z.string(), z.string()),
  /** Names that were used and are free again, the longest unused one first. */
  released: z.array(z.string()),
});

export class Names implements Hosts {
  readonly #pattern: HostPattern;
  readonly #path: string;
  readonly #kept: z.infer<typeof keptSchema>;
  #written: Promise<void> = Promise.resolve();

  private constructor(pattern: HostPattern, path: string, kept: z.infer<typeof keptSchema>) {
    this.#pattern = pattern;
    this.#path = path;
    this.#kept = kept;
  }

  /** Which endpoint has which name is kept in `names.json` of the state folder. */
  static async open(stateDir: string, pattern: HostPattern): Promise<Names> {
    const path = join(stateDir, 'names.json');
    const text = await readIfThere(path);
    const empty = { hosts: {}, released: [] };
    const kept = text === undefined ? empty : parseKept(path, text, (value) => keptSchema.parse(value));
    return new Names(pattern, path, kept);
  }

  async hostOf(endpointUid: string): Promise<string> {
    const known = this.#kept.hosts[endpointUid];
    if (known !== undefined) return known;
    const host = this.#draw(endpointUid);
    this.#kept.hosts[endpointUid] = host;
    await this.#save();
    return host;
  }

  async release(endpointUid: string): Promise<void> {
    const host = this.#kept.hosts[endpointUid];
    if (host === undefined || this.#pattern.kind === 'wildcard') return;
    delete this.#kept.hosts[endpointUid];
    this.#kept.released.push(host);
    await this.#save();
  }

  #draw(endpointUid: string): string {
    const pattern = this.#pattern;
    if (pattern.kind === 'wildcard') return `${pattern.before}${endpointUid}${pattern.after}`;
    const used = new Set([...Object.values(this.#kept.hosts), ...this.#kept.released]);
    const name = pattern.names.find((each) => !used.has(each)) ?? this.#kept.released.shift();
    if (name === undefined) {
      throw new Error(`all ${pattern.names.length} host names are in use: delete an endpoint, or widen --host-pattern`);
    }
    return name;
  }

  #save(): Promise<void> {
    this.#written = this.#written
      .catch(() => undefined)
      .then(() => replaceFile(this.#path, JSON.stringify(this.#kept, undefined, 2)));
    return this.#written;
  }
}
