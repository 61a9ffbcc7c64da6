// Where the API server is and how to prove who we are. Inside a cluster from the files that the kubelet mounts; outside
// from a kubeconfig, whose many ways of authenticating are left to client-node, which is used for nothing else.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

/** Read again from time to time: tokens and certificates are rotated under a running process. Never logged. */
export interface KubeCredentials {
  /** Authorization, and impersonation where a kubeconfig asks for it. */
  readonly headers: Readonly<Record<string, string>>;
  /** PEM. Without it the system's certificate authorities are trusted. */
  readonly ca?: string;
  readonly clientCertificate?: { readonly cert: string; readonly key: string };
}

export interface KubeConnection {
  /** `https://host:port`, perhaps with a path in front of the API's. */
  readonly server: string;
  /** The name that the server's certificate must carry, if it is not the host of `server`. */
  readonly serverName?: string;
  /** Only a kubeconfig can switch the check of the server's certificate off. */
  readonly verifyServer: boolean;
  /** The namespace of the pod, or of the kubeconfig's context. */
  readonly namespace: string;
  readonly credentials: () => Promise<KubeCredentials>;
}

/** One line that says what to set. */
export class KubeConnectionError extends Error {
  override readonly name = 'KubeConnectionError';
}

type Environment = Readonly<Record<string, string | undefined>>;

const mountedFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Picks, in this order: KUBECONFIG, the pod's ServiceAccount, ~/.kube/config. */
export async function connectionFrom(env: Environment, context?: string): Promise<KubeConnection> {
  if (env['KUBECONFIG']) return kubeconfigConnection(filesOf(env['KUBECONFIG']), context);
  if (env['KUBERNETES_SERVICE_HOST']) return inClusterConnection(env);
  return kubeconfigConnection([path.join(homedir(), '.kube', 'config')], context);
}

/**
 * As kubectl picks, for a program of a person: KUBECONFIG, ~/.kube/config if there is one, and only then the pod's
 * ServiceAccount, which has no contexts.
 */
export async function personsConnection(env: Environment, context?: string): Promise<KubeConnection> {
  const own = path.join(env['HOME'] ?? homedir(), '.kube', 'config');
  if (env['KUBECONFIG']) return kubeconfigConnection(filesOf(env['KUBECONFIG']), context);
  if (context || existsSync(own) || !env['KUBERNETES_SERVICE_HOST']) return kubeconfigConnection([own], context);
  return inClusterConnection(env);
}

/** As kubectl has it, some of several files may be missing; if all are, the first is complained about. */
function filesOf(list: string): string[] {
  const files = list.split(path.delimiter).filter((file) => file !== '');
  const there = files.filter((file) => existsSync(file));
  return there.length > 0 ? there : files;
}

/** Names of the contexts that `connectionFrom` could be given. */
export async function kubeconfigContexts(env: Environment): Promise<string[]> {
  const files = env['KUBECONFIG'] ? filesOf(env['KUBECONFIG']) : [path.join(homedir(), '.kube', 'config')];
  return (await loadKubeconfig(files)).getContexts().map(({ name }) => name);
}

/** The connection of a pod. `folder` is where the kubelet mounts `token`, `ca.crt` and `namespace`. */
export async function inClusterConnection(env: Environment, folder = mountedFolder): Promise<KubeConnection> {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (!host) throw new KubeConnectionError('KUBERNETES_SERVICE_HOST is not set: run in a pod, or set KUBECONFIG');
  const mounted = async (file: string): Promise<string> => (await readFile(path.join(folder, file), 'utf8')).trim();
  const credentials = async (): Promise<KubeCredentials> => {
    const [token, ca] = await Promise.all([mounted('token'), mounted('ca.crt')]);
    return { headers: { authorization: `Bearer ${token}` }, ca };
  };
  const readable = credentials().then(() => mounted('namespace'));
  const namespace = await readable.catch((error: unknown) => {
    const hint = 'is automountServiceAccountToken off?';
    throw new KubeConnectionError(`the ServiceAccount files in ${folder} cannot be read: ${hint}`, { cause: error });
  });
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { server, verifyServer: true, namespace, credentials };
}

/** The connection of a kubeconfig; several files are merged, and the first one's context counts. */
export async function kubeconfigConnection(files: readonly string[], context?: string): Promise<KubeConnection> {
  const config = await loadKubeconfig(files);
  if (context) config.setCurrentContext(context);
  const where = `KUBECONFIG (${files.join(path.delimiter)})`;
  const chosen = config.getCurrentContext() as string | undefined;
  if (!chosen)
    throw new KubeConnectionError(`${where} has no current context: kubectl config use-context NAME sets one`);
  if (!config.getContextObject(chosen)) throw new KubeConnectionError(`${where} has no context "${chosen}"`);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new KubeConnectionError(`${where}: the context "${chosen}" names no cluster`);
  if (!['https:', 'http:'].includes(URL.parse(cluster.server)?.protocol ?? ''))
    throw new KubeConnectionError(`${where}: the server is not a URL: write it like https://k8s.example:6443`);
  if (cluster.proxyUrl)
    throw new KubeConnectionError(`${where}: proxy-url is not supported; reach the server directly`);
  return {
    server: cluster.server.replace(/\/$/, ''),
    ...(cluster.tlsServerName ? { serverName: cluster.tlsServerName } : {}),
    verifyServer: !cluster.skipTLSVerify,
    // An empty one is none to kubectl, too.
    namespace: config.getContextObject(chosen)?.namespace || 'default',
    credentials: () => credentialsOf(config),
  };
}

type LoadedKubeconfig = Awaited<ReturnType<typeof loadKubeconfig>>;

/** Only this module of client-node, and only when asked for: the rest of it would double the process's memory. */
async function loadKubeconfig(files: readonly string[]) {
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js');
  const merged = new KubeConfig();
  for (const [index, file] of files.entries()) {
    const one = index === 0 ? merged : new KubeConfig();
    try {
      one.loadFromFile(file);
      if (one !== merged) merged.mergeConfig(one, true);
    } catch (error) {
      throw new KubeConnectionError(`KUBECONFIG: ${file} cannot be read as a kubeconfig`, { cause: error });
    }
  }
  return merged;
}

async function credentialsOf(config: LoadedKubeconfig): Promise<KubeCredentials> {
  const options: Parameters<LoadedKubeconfig['applyToHTTPSOptions']>[0] = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, headers, auth } = options;
  const given = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]);
  const basic = auth ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
  return {
    headers: { ...basic, ...Object.fromEntries(given) },
    ...(ca ? { ca: String(ca) } : {}),
    ...(cert && key ? { clientCertificate: { cert: String(cert), key: String(key) } } : {}),
  };
}
