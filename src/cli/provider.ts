// The Lakebase API as the person may use it: with the environment that Databricks' own tools read, or with the credentials
// of the class, where the person may read that Secret.
import { classSecretKey } from '../api/names.ts';
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import { isForbidden, isNotFound } from '../kit/kube.ts';
import { oauthTokenSource, type TokenSource } from '../lakebase/auth.ts';
import type { LakebaseClient } from '../lakebase/client.ts';
import { httpLakebaseClient } from '../lakebase/http-client.ts';
import { Token } from '../lakebase/token.ts';
import { undiciTransport, type NetworkTransport } from '../lakebase/transport.ts';
import { version } from '../version.ts';
import { secretData, type Cluster } from './cluster.ts';
import type { Terminal } from './terminal.ts';

export interface ProviderAccess {
  readonly client: LakebaseClient;
  readonly transport: NetworkTransport;
  /** For the person: whose credentials these are. */
  readonly as: string;
}

export type ProviderSeen =
  | ({ readonly usable: true } & ProviderAccess)
  | { readonly usable: false; readonly why: string; readonly transport: NetworkTransport };

interface Asked {
  readonly cluster: Cluster;
  readonly terminal: Terminal;
  readonly bclass: BranchClass;
  readonly operatorNamespace: string;
}

/** Whoever gets one closes its transport. */
export async function providerOf(asked: Asked): Promise<ProviderSeen> {
  const { terminal, bclass } = asked;
  const { host } = bclass.spec.provider;
  const transport = undiciTransport({ ca: await authorityOf(asked), proxy: proxyOf(terminal.env) });
  const common = { host, transport, clock: terminal.clock, userAgent: `kubectl-lakebranch/${version}` };
  const seen = environmentTokens(terminal.env, common) ?? (await classTokens(asked, common));
  if ('why' in seen) return { usable: false, why: seen.why, transport };
  return { usable: true, client: httpLakebaseClient({ ...common, tokens: seen.tokens }), transport, as: seen.as };
}

type Common = Pick<Parameters<typeof oauthTokenSource>[0], 'host' | 'transport' | 'clock' | 'userAgent'>;
interface Tokens {
  readonly tokens: TokenSource;
  readonly as: string;
}

const withoutSlash = (host: string): string => host.replace(/\/+$/, '');
const asUrl = (host: string): string => (/^https?:/.test(host) ? host : `https://${host}`);

/** Undefined where the environment speaks of another workspace, or of none. */
function environmentTokens(env: Terminal['env'], common: Common): Tokens | undefined {
  const { DATABRICKS_HOST: host, DATABRICKS_TOKEN: token } = env;
  const { DATABRICKS_CLIENT_ID: clientId, DATABRICKS_CLIENT_SECRET: secret } = env;
  if (!host || withoutSlash(asUrl(host)) !== withoutSlash(common.host)) return undefined;
  if (token) return { tokens: fixedToken(new Token(token)), as: 'DATABRICKS_TOKEN' };
  if (!clientId || !secret) return undefined;
  const credentials = () => Promise.resolve({ clientId, clientSecret: new Token(secret) });
  return { tokens: oauthTokenSource({ ...common, credentials }), as: 'DATABRICKS_CLIENT_ID' };
}

/** Of a person: it cannot be renewed, and whose it is does not matter for reading. */
const fixedToken = (token: Token): TokenSource => ({
  accessToken: () => Promise.resolve(token),
  refuse: () => undefined,
  principal: () => Promise.resolve(''),
});

async function classTokens(
  { cluster, bclass, operatorNamespace }: Asked,
  common: Common,
): Promise<Tokens | { readonly why: string }> {
  const auth: { readonly clientSecretRef?: { readonly name: string } } = bclass.spec.provider.auth;
  const own = `set DATABRICKS_HOST=${common.host} and DATABRICKS_TOKEN (or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET)`;
  if (!auth.clientSecretRef)
    return { why: `class ${bclass.metadata.name} keeps no credentials that could be read; ${own}` };
  const key = { namespace: operatorNamespace, name: auth.clientSecretRef.name };
  const place = `Secret ${key.namespace}/${key.name}`;
  try {
    const data = await secretData(cluster, key);
    const clientId = (data[classSecretKey.clientId] ?? '').trim();
    const clientSecret = new Token((data[classSecretKey.clientSecret] ?? '').trim());
    const credentials = () => Promise.resolve({ clientId, clientSecret });
    return { tokens: oauthTokenSource({ ...common, credentials }), as: place };
  } catch (error) {
    if (isForbidden(error)) return { why: `you may not read ${place}; ${own}` };
    if (isNotFound(error)) return { why: `${place}, which the class names, does not exist; ${own}` };
    throw error;
  }
}

/** Without the right to read it the system's authorities have to do; NODE_EXTRA_CA_CERTS adds to those. */
async function authorityOf({ cluster, bclass, operatorNamespace }: Asked): Promise<string | undefined> {
  const name = bclass.spec.provider.caSecretRef?.name;
  if (name === undefined) return undefined;
  try {
    return (await secretData(cluster, { namespace: operatorNamespace, name }))[classSecretKey.ca];
  } catch (error) {
    if (isForbidden(error) || isNotFound(error)) return undefined;
    throw error;
  }
}

const proxyOf = (env: Terminal['env']): { url: string; noProxy: string | undefined } | undefined => {
  const url = env['HTTPS_PROXY'] ?? env['https_proxy'];
  return url ? { url, noProxy: env['NO_PROXY'] ?? env['no_proxy'] } : undefined;
};
