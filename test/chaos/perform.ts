// Does to the world what an operation says. What is not there any more cannot be hit: that is a miss, not a failure.
import { setTimeout as pause } from 'node:timers/promises';
import {
  annotationKey,
  branchClassResource,
  databaseBranchResource,
  leaseResource,
  namespaceResource,
  secretResource,
} from '../../src/api/names.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { KubeError, KubeUnreachable, type KubeObject } from '../../src/kit/kube.ts';
import { branchTag, parseBranchId } from '../../src/lakebase/ids.ts';
import { operatorNamespace } from '../stack/operator.ts';
import type { Arena } from './arena.ts';
import type { Ledger } from './ledger.ts';
import type { Action, Key, Tampering, Victim } from './operation.ts';
import type { OperatorName } from './operators.ts';

/** `hit`, or why not: the status of the answer that refused it. */
export type Outcome = 'hit' | 'missed';

const patienceMs = 90_000;
const preview = 'preview';

export class Performer {
  readonly #arena: Arena;
  readonly #ledger: Ledger;
  /** What goes on while further operations are performed, by whom it hits. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #hurry = new Set<() => void>();

  constructor(arena: Arena, ledger: Ledger) {
    this.#arena = arena;
    this.#ledger = ledger;
  }

  async perform(action: Action): Promise<Outcome> {
    const { emulator } = this.#arena;
    switch (action.do) {
      case 'fault':
        await emulator.inject(action.fault);
        return 'hit';
      case 'behave':
        await emulator.behave(action.change);
        return 'hit';
      case 'calm':
        await emulator.calm();
        return 'hit';
      case 'kill':
        return this.#alone(placeOf(action), () => this.#kill(action.who, action.downMs));
      case 'freeze':
        return this.#alone(placeOf(action), () => this.#freeze(action.who, action.forMs));
      case 'rogue':
        return this.#alone('rogue', () => this.#rogue(action.forMs));
      case 'deleteByHand':
        return this.#deleteByHand(action.project, action.key);
      case 'makeByHand':
        return this.#makeByHand(action.project, action.id);
      case 'removeByHand':
        this.#ledger.handMade.delete(`${action.project}/${action.id}`);
        return hitIf(await emulator.byHand('DELETE', `projects/${action.project}/branches/${action.id}`));
      default:
        return this.#inKubernetes(action);
    }
  }

  /** Everything runs again and nothing is wrong any more. */
  async calm(): Promise<void> {
    for (const hurry of this.#hurry) hurry();
    await Promise.all(this.#underWay.values());
    this.#arena.operators.thawAll();
    await this.#arena.emulator.calm();
  }

  async #inKubernetes(action: Action): Promise<Outcome> {
    for (const giveUpAt = performance.now() + patienceMs; ; await pause(100)) {
      try {
        await this.#write(action);
        return 'hit';
      } catch (error) {
        if (error instanceof Miss) return 'missed';
        if (error instanceof KubeError && [403, 404, 409, 422].includes(error.code))
          return this.#refused(action, error);
        const passes =
          error instanceof KubeUnreachable || (error instanceof KubeError && (error.code === 429 || error.code >= 500));
        if (!passes || performance.now() > giveUpAt) throw error;
      }
    }
  }

  /** 422 is what the rules of the API forbid: drawn on purpose now and then, and counted. */
  #refused(action: Action, { code, message }: KubeError): Outcome {
    if (code === 422) this.#ledger.forbidden.set(`${action.do}: ${message.slice(0, 160)}`, 1);
    return 'missed';
  }

  async #write(action: Action): Promise<void> {
    const { kube } = this.#arena;
    switch (action.do) {
      case 'createNamespace':
        await kube.create(namespaceResource, { metadata: { name: action.name, labels: label(action.allowed) } });
        return;
      case 'removeNamespace':
        return kube.remove(namespaceResource, { name: action.name });
      case 'labelNamespace':
        await kube.mergePatch(namespaceResource, action, { metadata: { labels: label(action.allowed, null) } });
        return;
      case 'createObject':
        await kube.create<KubeObject>(databaseBranchResource, {
          metadata: action.key,
          spec: action.spec,
        } as KubeObject);
        return;
      case 'removeObject':
        return kube.remove(databaseBranchResource, action.key);
      case 'patchObject':
        await kube.mergePatch(databaseBranchResource, action.key, action.patch);
        return;
      case 'expireSoon': {
        const at = new Date(Date.now() + action.seconds * 1000).toISOString();
        await kube.mergePatch(databaseBranchResource, action.key, { spec: { expiration: { at, ttl: null } } });
        return;
      }
      case 'wipeStatus':
        await kube.mergePatch(databaseBranchResource, action.key, { status: null }, { subresource: 'status' });
        return;
      case 'patchClass':
        await kube.mergePatch(branchClassResource, action, action.patch);
        return;
      case 'createForeignSecret':
        await kube.create<Secret>(secretResource, { metadata: action.key, data: { theirs: base64('kept') } });
        return;
      case 'removeSecret':
        return kube.remove(secretResource, action.key);
      case 'tamper':
        return this.#tamper(action.key, action.how);
      default:
        throw new Error(`${action.do} is nothing to do in Kubernetes`);
    }
  }

  async #tamper(key: Key, how: Tampering): Promise<void> {
    const { kube } = this.#arena;
    const secret = await kube.get<Secret>(secretResource, key);
    const patch = this.#tampering(secret, how);
    if (!patch) throw new Miss();
    // Conditional, so that it is known on top of what it was done.
    const { resourceVersion } = secret.metadata;
    const metadata = { ...patch.metadata, resourceVersion };
    const answered = this.#ledger.tampering(secret, patch);
    answered(await kube.mergePatch<Secret>(secretResource, key, { ...patch, metadata }));
  }

  #tampering(secret: Secret, how: Tampering): { data?: object; metadata?: object } | undefined {
    if (!secret.metadata.ownerReferences?.length && how !== 'junkAnnotation') return undefined;
    const host = (value: string | undefined): { data: object } | undefined =>
      value === undefined ? undefined : { data: { host: base64(value) } };
    switch (how) {
      case 'empty':
        return { data: Object.fromEntries(Object.keys(secret.data ?? {}).map((name) => [name, null])) };
      case 'garbledHost':
        return host('nowhere.invalid');
      case 'sourceHost':
        return host(this.#ledger.hostOf('production'));
      case 'siblingHost':
        return host(this.#ledger.someOtherHost(secret));
      case 'oldPassword':
        return { data: { password: base64('eyJhbGciOiJFUzI1NiJ9.eyJvbGQiOnRydWV9.c2ln') } };
      case 'stripOwner':
        return { metadata: { ownerReferences: null } };
      case 'junkAnnotation':
        return { metadata: { annotations: { [annotationKey.revision]: '17' } } };
      case 'foreignKey':
        return { data: { theirs: base64('kept') } };
    }
  }

  async #deleteByHand(project: string, key: Key): Promise<Outcome> {
    const { emulator, clusterID } = this.#arena;
    const uid = this.#ledger.uidOf(key);
    if (uid === undefined) return 'missed';
    const tag = branchTag(clusterID, uid);
    const theirs = (await emulator.branches()).filter(
      ({ id, state }) => state !== 'DELETED' && parseBranchId(id)?.tag === tag,
    );
    this.#ledger.handDeleted.add(tag);
    for (const { id } of theirs) await emulator.byHand('DELETE', `projects/${project}/branches/${id}`);
    return theirs.length > 0 ? 'hit' : 'missed';
  }

  async #makeByHand(project: string, id: string): Promise<Outcome> {
    const spec = { source_branch: `projects/${project}/branches/production`, no_expiry: true };
    const status = await this.#arena.emulator.byHand('POST', `projects/${project}/branches?branch_id=${id}`, { spec });
    if (status === 200) this.#ledger.handMade.add(`${project}/${id}`);
    return hitIf(status);
  }

  /** One trouble of a kind at a time; it goes on in the background. */
  #alone(place: string, run: () => Promise<void>): Outcome {
    if (this.#underWay.has(place)) return 'missed';
    const running = run().finally(() => this.#underWay.delete(place));
    this.#underWay.set(place, running);
    return 'hit';
  }

  async #kill(who: Victim, downMs: number): Promise<void> {
    const { controlPlane, emulator, operators } = this.#arena;
    switch (who) {
      case 'emulator':
        await emulator.kill();
        await this.#wait(downMs);
        return emulator.start();
      case 'apiServer':
        await controlPlane.killApiServer();
        await this.#wait(downMs);
        return controlPlane.startApiServer();
      default:
        return operators.kill(await this.#operator(who));
    }
  }

  async #freeze(who: Victim, forMs: number): Promise<void> {
    const { controlPlane, emulator, operators } = this.#arena;
    switch (who) {
      case 'emulator':
        emulator.freeze();
        await this.#wait(forMs);
        return emulator.thaw();
      case 'apiServer':
        controlPlane.pauseApiServer();
        await this.#wait(forMs);
        return controlPlane.resumeApiServer();
      default: {
        const name = await this.#operator(who);
        operators.freeze(name);
        await this.#wait(forMs);
        return operators.thaw(name);
      }
    }
  }

  async #rogue(forMs: number): Promise<void> {
    const { operators } = this.#arena;
    await operators.start('rogue');
    await this.#wait(forMs);
    await operators.end('rogue');
  }

  /** A pause that `calm` cuts short. */
  async #wait(ms: number): Promise<void> {
    const cut = new AbortController();
    const hurry = (): void => cut.abort();
    this.#hurry.add(hurry);
    await pause(ms, undefined, { signal: cut.signal }).catch(() => undefined);
    this.#hurry.delete(hurry);
  }

  async #operator(who: 'leader' | 'standby'): Promise<OperatorName> {
    const holder = await this.#arena.kube
      .get<KubeObject & { spec?: { holderIdentity?: string } }>(
        leaseResource,
        { namespace: operatorNamespace, name: 'lakebranch' },
        { timeoutMs: 5000 },
      )
      .then(
        ({ spec }) => spec?.holderIdentity,
        () => undefined,
      );
    const leader = holder === 'operator-b' ? 'operator-b' : 'operator-a';
    if (who === 'leader') return leader;
    return leader === 'operator-a' ? 'operator-b' : 'operator-a';
  }
}

/** A frozen operator may be killed all the same; the others are left alone while they are down. */
const placeOf = ({ do: what, who }: { do: string; who: Victim }): string =>
  who === 'emulator' || who === 'apiServer' ? who : `${what} ${who}`;

/** There is nothing to be done it to. */
class Miss extends Error {}

const hitIf = (status: number): Outcome => (status === 200 ? 'hit' : 'missed');
const label = (allowed: boolean, otherwise?: null): Record<string, string> =>
  (allowed ? { [preview]: 'true' } : otherwise === null ? { [preview]: null } : {}) as Record<string, string>;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
