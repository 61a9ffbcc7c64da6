// From a BranchClass to the clients that speak for it. Credential Secrets are read by name, in the operator's namespace only.
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import { Reason } from '../api/v1alpha1/reasons.ts';
import { classSecretKey, secretResource } from '../api/names.ts';
import type { Clock } from '../kit/clock.ts';
import { isNotFound, type Kube } from '../kit/kube.ts';
import type { Secret } from '../credentials/secret.ts';
import type { LakebaseClient } from '../lakebase/client.ts';
import { LakebaseError } from '../lakebase/errors.ts';
import { Token } from '../lakebase/token.ts';

export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: Token;
}

/** What a client is made of; `credentials` is asked again after the provider refused them. */
export interface ClientRequest {
  readonly host: string;
  readonly ca: string | undefined;
  readonly credentials: () => Promise<ClientCredentials>;
}

export type MakeClient = (request: ClientRequest) => LakebaseClient;

export interface Provider {
  /** Manages branches. */
  readonly manager: LakebaseClient;
  /** Mints the tokens that go into application Secrets. */
  readonly login: LakebaseClient;
  /** The Postgres user of those tokens. */
  readonly username: string;
  /** PEM of the private CA of the class, for both planes. */
  readonly ca: string | undefined;
}

export type ProviderSeen =
  | { readonly usable: true; readonly provider: Provider }
  | { readonly usable: false; readonly reason: Reason; readonly message: string };

/** A credential Secret is read at most this often, except at once after the provider refused what was read last. */
const readAgainMs = 60_000;
const missingAgainMs = 5_000;

interface SecretRead {
  readonly at: number;
  readonly data: Readonly<Record<string, string>> | undefined;
}

export class Providers {
  readonly #kube: Kube;
  readonly #namespace: string;
  readonly #clock: Clock;
  readonly #makeClient: MakeClient;
  readonly #reads = new Map<string, Promise<SecretRead>>();
  readonly #clients = new Map<string, { clientId: string; client: LakebaseClient }>();

  constructor(options: { kube: Kube; namespace: string; clock: Clock; makeClient: MakeClient }) {
    this.#kube = options.kube;
    this.#namespace = options.namespace;
    this.#clock = options.clock;
    this.#makeClient = options.makeClient;
  }

  /** Throws only when the API server could not be asked. */
  async of(bclass: BranchClass): Promise<ProviderSeen> {
    const { host, auth, caSecretRef } = bclass.spec.provider;
    const { sameAsProvider, auth: loginAuth } = bclass.spec.login;
    const managerSecret = auth.clientSecretRef.name;
    const loginSecret = sameAsProvider ? managerSecret : (loginAuth?.clientSecretRef.name ?? '');
    const wanted = [
      ...(caSecretRef ? [[caSecretRef.name, classSecretKey.ca] as const] : []),
      ...[managerSecret, loginSecret].flatMap((name) => [
        [name, classSecretKey.clientId] as const,
        [name, classSecretKey.clientSecret] as const,
      ]),
    ];
    for (const [name, key] of wanted) if (!(await this.#value(name, key))) return this.#missing(bclass, name, key);
    const ca = caSecretRef && (await this.#value(caSecretRef.name, classSecretKey.ca));
    const clientOf = async (secret: string): Promise<LakebaseClient> =>
      this.#client({ host, secret, clientId: await this.#clientId(secret), ca });
    const username = await this.#clientId(loginSecret);
    const [manager, login] = [await clientOf(managerSecret), await clientOf(loginSecret)];
    return { usable: true, provider: { manager, login, username, ca } };
  }

  async #clientId(secret: string): Promise<string> {
    return (await this.#value(secret, classSecretKey.clientId)) ?? '';
  }

  #missing(bclass: BranchClass, secret: string, key: string): ProviderSeen {
    const message = `class ${bclass.metadata.name} needs key ${key} of Secret ${this.#namespace}/${secret}: create the Secret in the operator's namespace`;
    return { usable: false, reason: Reason.CredentialsNotFound, message };
  }

  /** One per identity: tokens of an old client id must not be handed out under the name of a new one. */
  #client({
    host,
    secret,
    clientId,
    ca,
  }: {
    host: string;
    secret: string;
    clientId: string;
    ca: string | undefined;
  }): LakebaseClient {
    const key = [host, secret, ca ?? ''].join('\n');
    const known = this.#clients.get(key);
    if (known?.clientId === clientId) return known.client;
    const client = this.#makeClient({ host, ca, credentials: () => this.#credentials(secret, clientId) });
    this.#clients.set(key, { clientId, client });
    return client;
  }

  /** Throws when the Secret has come to name another identity: that one gets a client of its own at the next pass. */
  async #credentials(secret: string, clientId: string): Promise<ClientCredentials> {
    this.#reads.delete(secret);
    const { data } = await this.#read(secret);
    if (data?.[classSecretKey.clientId] !== clientId)
      throw new LakebaseError(
        'unauthenticated',
        `Secret ${secret} names another client than before; it is taken up at once`,
      );
    return { clientId, clientSecret: new Token(data[classSecretKey.clientSecret] ?? '') };
  }

  async #value(secret: string, key: string): Promise<string | undefined> {
    return (await this.#read(secret)).data?.[key] || undefined;
  }

  async #read(secret: string): Promise<SecretRead> {
    const known = this.#reads.get(secret);
    if (known) {
      const { at, data } = await known;
      if (this.#clock.monotonicMs() - at < (data ? readAgainMs : missingAgainMs)) return known;
    }
    const reading = this.#fetch(secret);
    this.#reads.set(secret, reading);
    reading.catch(() => this.#reads.delete(secret));
    return reading;
  }

  async #fetch(name: string): Promise<SecretRead> {
    const at = this.#clock.monotonicMs();
    try {
      const secret = await this.#kube.get<Secret>(secretResource, { namespace: this.#namespace, name });
      const data = Object.fromEntries(
        Object.entries(secret.data ?? {}).map(([key, value]) => [
          key,
          Buffer.from(value, 'base64').toString('utf8').trim(),
        ]),
      );
      return { at, data };
    } catch (error) {
      if (isNotFound(error)) return { at, data: undefined };
      throw error;
    }
  }
}
