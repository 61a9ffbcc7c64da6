// From a BranchClass to the clients that speak for it. Credential Secrets are read by name, in the operator's namespace
// only; a class may choose one of the audiences that the operator is configured with, and no other.
import type { BranchClass, BranchClassSpec } from '../api/v1alpha1/branch-class.ts';
import { Reason } from '../api/v1alpha1/reasons.ts';
import { classSecretKey, secretResource } from '../api/names.ts';
import type { Clock } from '../kit/clock.ts';
import { isNotFound, type Kube } from '../kit/kube.ts';
import type { Secret } from '../credentials/secret.ts';
import type { ClientCredentials, CredentialSource } from '../lakebase/auth.ts';
import type { LakebaseClient } from '../lakebase/client.ts';
import { LakebaseError } from '../lakebase/errors.ts';
import { Token } from '../lakebase/token.ts';
import type { SubjectTokenSource } from '../lakebase/token-exchange.ts';

/** What a client proves itself with. */
export type ClientProof =
  /** Asked again after the provider refused what was read last. */
  | { readonly by: 'clientSecret'; readonly credentials: CredentialSource }
  | { readonly by: 'workloadIdentity'; readonly clientId: string; readonly subjectToken: SubjectTokenSource };

export interface ClientRequest {
  readonly host: string;
  readonly ca: string | undefined;
  readonly proof: ClientProof;
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

/** The operator's own projected ServiceAccount tokens, by their audience. */
export type SubjectTokens = ReadonlyMap<string, SubjectTokenSource>;

type Auth = BranchClassSpec['provider']['auth'];

/** Somebody who may log in to the workspace. */
interface Identity {
  readonly clientId: string;
  /** Two of the same key and client id share a client, and so an access token. */
  readonly key: string;
  readonly proof: ClientProof;
}

/** A credential Secret is read at most this often, except at once after the provider refused what was read last. */
const readAgainMs = 60_000;
const missingAgainMs = 5_000;

interface SecretRead {
  readonly at: number;
  readonly data: Readonly<Record<string, string>> | undefined;
}

export interface ProvidersOptions {
  readonly kube: Kube;
  /** The operator's, where the Secrets of classes are. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly makeClient: MakeClient;
  /** None: classes can only use client secrets. */
  readonly subjectTokens?: SubjectTokens;
}

export class Providers {
  readonly #kube: Kube;
  readonly #namespace: string;
  readonly #clock: Clock;
  readonly #makeClient: MakeClient;
  readonly #subjectTokens: SubjectTokens;
  readonly #reads = new Map<string, Promise<SecretRead>>();
  readonly #clients = new Map<string, { clientId: string; client: LakebaseClient }>();

  constructor(options: ProvidersOptions) {
    this.#kube = options.kube;
    this.#namespace = options.namespace;
    this.#clock = options.clock;
    this.#makeClient = options.makeClient;
    this.#subjectTokens = options.subjectTokens ?? new Map();
  }

  /** Throws only when the API server could not be asked. */
  async of(bclass: BranchClass): Promise<ProviderSeen> {
    const { host, auth, caSecretRef } = bclass.spec.provider;
    const { sameAsProvider, auth: loginAuth = {} } = bclass.spec.login;
    const loginBy = sameAsProvider ? auth : loginAuth;
    const both = [auth, loginBy];
    const wanted = [
      ...(caSecretRef ? [[caSecretRef.name, classSecretKey.ca] as const] : []),
      ...both.flatMap(({ clientSecretRef }) =>
        clientSecretRef
          ? [
              [clientSecretRef.name, classSecretKey.clientId] as const,
              [clientSecretRef.name, classSecretKey.clientSecret] as const,
            ]
          : [],
      ),
    ];
    for (const [name, key] of wanted) if (!(await this.#value(name, key))) return this.#missing(bclass, name, key);
    const unknown = both.find(({ workloadIdentity: of }) => of && !this.#subjectTokens.has(of.audience));
    if (unknown) return this.#notConfigured(bclass, unknown.workloadIdentity?.audience ?? '');
    const ca = caSecretRef && (await this.#value(caSecretRef.name, classSecretKey.ca));
    const [managing, handedOut] = [await this.#identity(auth), await this.#identity(loginBy)];
    return {
      usable: true,
      provider: {
        manager: this.#client({ host, identity: managing, ca }),
        login: this.#client({ host, identity: handedOut, ca }),
        username: handedOut.clientId,
        ca,
      },
    };
  }

  async #identity({ clientSecretRef, workloadIdentity }: Auth): Promise<Identity> {
    const subjectToken = workloadIdentity && this.#subjectTokens.get(workloadIdentity.audience);
    if (workloadIdentity && subjectToken) {
      const { clientId, audience } = workloadIdentity;
      return {
        clientId,
        key: `audience ${audience} ${clientId}`,
        proof: { by: 'workloadIdentity', clientId, subjectToken },
      };
    }
    const { name = '' } = clientSecretRef ?? {};
    const clientId = (await this.#value(name, classSecretKey.clientId)) ?? '';
    const credentials = (): Promise<ClientCredentials> => this.#credentials(name, clientId);
    return { clientId, key: `Secret ${name}`, proof: { by: 'clientSecret', credentials } };
  }

  #missing(bclass: BranchClass, secret: string, key: string): ProviderSeen {
    const message = `class ${bclass.metadata.name} needs key ${key} of Secret ${this.#namespace}/${secret}: create the Secret in the operator's namespace`;
    return { usable: false, reason: Reason.CredentialsNotFound, message };
  }

  #notConfigured(bclass: BranchClass, audience: string): ProviderSeen {
    const known = [...this.#subjectTokens.keys()].join(', ') || 'none';
    const message = `class ${bclass.metadata.name} asks for workload identity with audience ${audience}, which the operator is not configured for (${known}): name one that it is, or add it to LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES of the operator`;
    return { usable: false, reason: Reason.AudienceNotConfigured, message };
  }

  /** One per identity: tokens of an old client id must not be handed out under the name of a new one. */
  #client({ host, identity, ca }: { host: string; identity: Identity; ca: string | undefined }): LakebaseClient {
    const key = [host, identity.key, ca ?? ''].join('\n');
    const known = this.#clients.get(key);
    if (known?.clientId === identity.clientId) return known.client;
    const client = this.#makeClient({ host, ca, proof: identity.proof });
    this.#clients.set(key, { clientId: identity.clientId, client });
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
