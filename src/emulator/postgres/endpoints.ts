// The endpoints that clients reach: where each listens, which branch it leads to, and when it may sleep.
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../../kit/clock.ts';
import { namesForAddress } from '../certificates.ts';
import type { CertificateAuthority } from '../certificates.ts';
import { Addresses } from '../proxy/addresses.ts';
import type { Hosts } from '../proxy/addresses.ts';
import { CancelKeys } from '../proxy/cancels.ts';
import type { Authorize, Gate, ProxiedEndpoint } from '../proxy/gate.ts';
import { checkListenable, Listener } from '../proxy/listener.ts';
import { canonicalName, certificateNames, Names, parseHostPattern } from '../proxy/names.ts';
import type { Log } from '../workspace.ts';
import { Activity } from './activity.ts';
import type { Instance } from './instance.ts';
import { instanceSuperuser } from './names.ts';

/** How clients tell endpoints apart: by an address each, or by names that all lead to one address. */
export type HostMode =
  { readonly kind: 'address' } | { readonly kind: 'names'; readonly hostPattern: string; readonly listen: string };

export interface EndpointsParts {
  readonly stateDir: string;
  readonly pgPort: number;
  readonly hostMode: HostMode;
  readonly certificates: CertificateAuthority;
  readonly authorize: Authorize;
  readonly clock: Clock;
  readonly log: Log;
}

interface OpenEndpoint {
  readonly proxied: ProxiedEndpoint;
  readonly branchUid: string;
  readonly instance: Instance;
  readonly activity: Activity;
  readonly host: string;
  /** Its own one in mode `address`. */
  readonly listener: Listener | undefined;
}

export class Endpoints {
  readonly #parts: EndpointsParts;
  readonly #hosts: Hosts;
  readonly #open = new Map<string, OpenEndpoint>();
  readonly #byName = new Map<string, OpenEndpoint>();
  readonly #cancels = new CancelKeys();
  #shared: Listener | undefined;

  private constructor(parts: EndpointsParts, hosts: Hosts) {
    this.#parts = parts;
    this.#hosts = hosts;
  }

  /** Rejects with one clear sentence when the port cannot be used. */
  static async start(parts: EndpointsParts): Promise<Endpoints> {
    const { stateDir, hostMode, pgPort, certificates } = parts;
    if (hostMode.kind === 'address') {
      const addresses = await Addresses.open(stateDir);
      await checkListenable(addresses.spare, pgPort);
      return new Endpoints(parts, addresses);
    }
    const pattern = parseHostPattern(hostMode.hostPattern);
    const endpoints = new Endpoints(parts, await Names.open(stateDir, pattern));
    const context = createSecureContext({
      ...(await certificates.issue(certificateNames(pattern))),
      minVersion: 'TLSv1.2',
    });
    const byName = (serverName: string | undefined): ProxiedEndpoint | undefined => endpoints.#named(serverName);
    endpoints.#shared = await Listener.open(hostMode.listen, pgPort, endpoints.#gate(context, byName));
    return endpoints;
  }

  /** Listens for the endpoint and returns its host; repeating it changes nothing. */
  async open(endpointUid: string, branchUid: string, instance: Instance): Promise<string> {
    const known = this.#open.get(endpointUid);
    if (known) return known.host;
    const host = await this.#hosts.hostOf(endpointUid);
    const state = instance.running ? 'ACTIVE' : 'IDLE';
    const activity = new Activity(this.#parts.clock, state, () => void this.#letSleep(branchUid, instance));
    const proxied: ProxiedEndpoint = {
      uid: endpointUid,
      connect: () => instance.connect(),
      begin: () => keepAwake(activity, instance),
    };
    const listener = this.#shared ? undefined : await this.#listen(host, proxied);
    const endpoint: OpenEndpoint = { proxied, branchUid, instance, activity, host, listener };
    this.#open.set(endpointUid, endpoint);
    this.#byName.set(host, endpoint);
    return host;
  }

  /** Ends the sessions. The compute stops with its last endpoint. */
  async close(endpointUid: string): Promise<void> {
    const endpoint = this.#open.get(endpointUid);
    if (!endpoint) return;
    this.#open.delete(endpointUid);
    this.#byName.delete(endpoint.host);
    endpoint.activity.stop();
    if (this.ofBranch(endpoint.branchUid).length === 0) await endpoint.instance.stop();
    this.#shared?.endSessions(endpointUid);
    await endpoint.listener?.close();
    await this.#hosts.release(endpointUid);
  }

  get(endpointUid: string): { readonly activity: Activity; readonly instance: Instance } | undefined {
    return this.#open.get(endpointUid);
  }

  /** Uids of the open endpoints that lead to a branch. */
  ofBranch(branchUid: string): string[] {
    return [...this.#open].filter(([, endpoint]) => endpoint.branchUid === branchUid).map(([uid]) => uid);
  }

  /** The branch's compute was used by the emulator itself. */
  touch(branchUid: string): void {
    for (const uid of this.ofBranch(branchUid)) this.#open.get(uid)?.activity.touch();
  }

  async stop(): Promise<void> {
    const endpoints = [...this.#open.values()];
    for (const { activity } of endpoints) activity.stop();
    await Promise.all([...endpoints.map(({ listener }) => listener?.close()), this.#shared?.close()]);
  }

  async #listen(host: string, endpoint: ProxiedEndpoint): Promise<Listener> {
    const { certificates, pgPort } = this.#parts;
    const certificate = await certificates.issue(namesForAddress(host));
    const context = createSecureContext({ ...certificate, minVersion: 'TLSv1.2' });
    // A name that belongs to another endpoint leads there; any other name, or none, leads to the owner of the address.
    return Listener.open(
      host,
      pgPort,
      this.#gate(context, (serverName) => this.#named(serverName) ?? endpoint),
    );
  }

  #named(serverName: string | undefined): ProxiedEndpoint | undefined {
    return serverName === undefined ? undefined : this.#byName.get(canonicalName(serverName))?.proxied;
  }

  #gate(secureContext: SecureContext, route: Gate['route']): Gate {
    const { authorize, log } = this.#parts;
    return {
      authorize,
      secureContext,
      cancels: this.#cancels,
      route,
      reservedUser: instanceSuperuser,
      onUnreachable: (endpoint, error) =>
        log('an endpoint cannot reach its database', { endpoint, error: String(error) }),
    };
  }

  async #letSleep(branchUid: string, instance: Instance): Promise<void> {
    const active = this.ofBranch(branchUid).some((uid) => this.#open.get(uid)?.activity.state === 'ACTIVE');
    if (!active) await instance.sleepIfUnused();
  }
}

function keepAwake(activity: Activity, instance: Instance): () => void {
  const ends = [instance.hold(), activity.begin()];
  return () => ends.forEach((end) => end());
}
