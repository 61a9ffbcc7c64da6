// Mode `address`: every endpoint has a loopback address of its own, and no other endpoint ever gets it, so that a
// client with an old address can meet nothing but a closed port.
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { parseKept, readIfThere, replaceFile } from '../kept-file.ts';

/** Which host an endpoint's clients use. */
export interface Hosts {
  /** The host of an endpoint: the same for the life of the endpoint, and kept over restarts. */
  hostOf(endpointUid: string): Promise<string>;
  /** The endpoint is closed. Its host may go to another one only if the mode cannot do without. */
  release(endpointUid: string): Promise<void>;
}

/** 127.64.0.0/10 holds 1024 networks of 4096 addresses; the first and the last address of each stay unused. */
const range = { first: toNumber('127.64.0.0'), networks: 1024, networkSize: 4096 };

const keptSchema = z.object({
  /** Drawn at random when the folder is new or the last one is full, so that two emulators hardly ever meet. */
  networks: z.array(z.string()).min(1),
  /** How many addresses of the last network were given out. */
  used: z.number().int().nonnegative(),
  /** Of every endpoint there ever was. */
  hosts: z.record(z.string(), z.string()),
});

type Kept = z.infer<typeof keptSchema>;

export class Addresses implements Hosts {
  readonly #path: string;
  #kept: Kept;
  /** Writes one after the other, so that an older state never overwrites a newer one. */
  #written: Promise<void> = Promise.resolve();

  private constructor(path: string, kept: Kept) {
    this.#path = path;
    this.#kept = kept;
  }

  /** The addresses given out so far are kept in `addresses.json` of the state folder. */
  static async open(stateDir: string): Promise<Addresses> {
    const path = join(stateDir, 'addresses.json');
    const text = await readIfThere(path);
    if (text !== undefined)
      return new Addresses(
        path,
        parseKept(path, text, (value) => keptSchema.parse(value)),
      );
    const addresses = new Addresses(path, { networks: [drawNetwork([])], used: 0, hosts: {} });
    await addresses.#save();
    return addresses;
  }

  /** An address of this folder that no endpoint has: to try whether the port is free. */
  get spare(): string {
    return toText(toNumber(lastOf(this.#kept.networks)) + range.networkSize - 1);
  }

  async hostOf(endpointUid: string): Promise<string> {
    const known = this.#kept.hosts[endpointUid];
    if (known !== undefined) return known;
    const host = this.#draw();
    this.#kept.hosts[endpointUid] = host;
    await this.#save();
    return host;
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  #draw(): string {
    const kept = this.#kept;
    if (kept.used >= range.networkSize - 2) {
      kept.networks.push(drawNetwork(kept.networks));
      kept.used = 0;
    }
    kept.used += 1;
    return toText(toNumber(lastOf(kept.networks)) + kept.used);
  }

  #save(): Promise<void> {
    this.#written = this.#written
      .catch(() => undefined)
      .then(() => replaceFile(this.#path, JSON.stringify(this.#kept, undefined, 2)));
    return this.#written;
  }
}

function drawNetwork(taken: readonly string[]): string {
  if (taken.length >= range.networks) throw new Error('all addresses of 127.64.0.0/10 were given out: start anew');
  for (;;) {
    const network = toText(range.first + randomInt(range.networks) * range.networkSize);
    if (!taken.includes(network)) return network;
  }
}

function lastOf(networks: readonly string[]): string {
  const last = networks.at(-1);
  if (last === undefined) throw new Error('no network was drawn');
  return last;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

const toText = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
