// A real Kubernetes control plane without nodes: etcd, kube-apiserver and kube-controller-manager on free
// loopback ports, in a temporary folder. Several can run side by side; each is gone without residue when it is
// stopped, and also when the process that started it dies in whatever way (guardian.ts).

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findOrBuildBinaries, type Binaries } from './binaries.ts';
import {
  apiServerArgs,
  controllerManagerArgs,
  emulationArgs,
  etcdArgs,
  kubeconfig,
  kubectlScript,
  type Layout,
} from './flags.ts';
import { freePorts } from './free-ports.ts';
import { startGuardian, type GuardedProcess, type Guardian, type ProcessSpec } from './guardian.ts';

export interface ControlPlaneOptions {
  /** Added to the kube-apiserver's flags, e.g. '--feature-gates=WatchList=false'. */
  readonly apiServerArgs?: readonly string[];
}

export interface ControlPlane {
  /** https://127.0.0.1:<port>; it stays the same when the API server is restarted. */
  readonly url: string;
  /** PEM; also in `caFile`. */
  readonly ca: string;
  readonly caFile: string;
  /** Bearer token of a member of system:masters. */
  readonly adminToken: string;
  /** Path of a kubeconfig with that token. */
  readonly adminKubeconfig: string;
  /** http://127.0.0.1:<port>, without authentication: for tests that read the whole history of the cluster. */
  readonly etcdUrl: string;
  /** Path of a kubectl that uses this control plane as admin, unless KUBECONFIG or --kubeconfig says otherwise. */
  readonly kubectl: string;
  /** The folder with all state and logs; callers may put files of their own there. */
  readonly dir: string;
  /** Ends all of it when it gets a SIGTERM; for use after `outlive`. */
  readonly guardianPid: number;
  /** The text of a kubeconfig for a bearer token, e.g. one that the TokenRequest API gave. */
  kubeconfigFor(token: string): string;
  /** Stops the API server at once, as a crash would. etcd keeps everything. */
  killApiServer(): Promise<void>;
  /** Starts it again on the same port, and resolves when it is ready. */
  startApiServer(): Promise<void>;
  restartApiServer(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers, until `resumeApiServer`. */
  pauseApiServer(): void;
  resumeApiServer(): void;
  /** Runs another program, such as the operator, that ends with the control plane. Its log lies in `dir`. */
  start(spec: ProcessSpec): Promise<GuardedProcess>;
  /** Lets it run on after this process has ended. */
  outlive(): Promise<void>;
  /** Ends every process and removes the folder. Safe to call twice. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Far more than it takes on a busy machine; a hang must end in an error that says where the logs are. */
const startDeadlineMs = 120_000;
const attempts = 5;
/** Shown of each log when the start fails. */
const logTailLines = 15;

class PortTaken extends Error {}

/** Starts a control plane; resolves when its controllers work. Builds missing programs first, which takes minutes. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await findOrBuildBinaries();
  for (let attempt = 1; ; attempt++) {
    const guardian = await startGuardian('lakebranch-control-plane');
    try {
      return await bringUp(guardian, binaries, options);
    } catch (error) {
      await guardian.end();
      if (!(error instanceof PortTaken) || attempt === attempts) throw error;
    }
  }
}

async function bringUp(guardian: Guardian, binaries: Binaries, options: ControlPlaneOptions): Promise<ControlPlane> {
  const layout = await layOut(guardian.dir);
  const emulation = emulationArgs(process.env['LAKEBRANCH_TEST_EMULATED_VERSION'] ?? '');
  const start = (name: keyof Binaries, args: readonly string[]): Promise<GuardedProcess> =>
    guardian.start({ name, command: binaries[name], args });
  const startServer = (): Promise<GuardedProcess> =>
    start('kube-apiserver', [...apiServerArgs(layout), ...emulation, ...(options.apiServerArgs ?? [])]);

  const etcd = await start('etcd', etcdArgs(layout));
  let apiServer = await startServer();
  const serverReady = (): Promise<void> =>
    waitUntil(() => answersOk(layout, '/readyz'), 'the API server', [etcd, apiServer]);
  await serverReady();

  writeFileSync(layout.adminKubeconfig, kubeconfigFor(layout, layout.adminToken), { mode: 0o600 });
  writeFileSync(layout.kubectl, kubectlScript(layout, binaries.kubectl), { mode: 0o700 });
  writeFileSync(layout.controllerManagerKubeconfig, kubeconfigFor(layout, layout.controllerManagerToken), {
    mode: 0o600,
  });
  const controllerManager = await start('kube-controller-manager', [...controllerManagerArgs(layout), ...emulation]);
  // The controllers make this ServiceAccount, so seeing it proves that they work.
  const serviceAccount = '/api/v1/namespaces/default/serviceaccounts/default';
  await waitUntil(() => answersOk(layout, serviceAccount), 'the controllers', [etcd, apiServer, controllerManager]);

  const controlPlane: ControlPlane = {
    url: layout.url,
    ca: readFileSync(layout.caFile, 'utf8'),
    caFile: layout.caFile,
    adminToken: layout.adminToken,
    adminKubeconfig: layout.adminKubeconfig,
    etcdUrl: layout.etcdUrl,
    kubectl: layout.kubectl,
    dir: layout.dir,
    guardianPid: guardian.pid,
    kubeconfigFor: (token) => kubeconfigFor(layout, token),
    async killApiServer() {
      // As behind a load balancer, the controllers meet no API server that is not ready: one that does not serve the
      // custom resources yet would have them finish namespaces that still hold some.
      controllerManager.signal('SIGSTOP');
      apiServer.signal('SIGKILL');
      await apiServer.whenEnded();
    },
    async startApiServer() {
      apiServer = await startServer();
      await serverReady();
      controllerManager.signal('SIGCONT');
    },
    async restartApiServer() {
      await controlPlane.killApiServer();
      await controlPlane.startApiServer();
    },
    pauseApiServer: () => apiServer.signal('SIGSTOP'),
    resumeApiServer: () => apiServer.signal('SIGCONT'),
    start: (spec) => guardian.start(spec),
    outlive: () => guardian.outlive(),
    stop: () => guardian.end(),
    [Symbol.asyncDispose]: () => guardian.end(),
  };
  return controlPlane;
}

/** Decides on ports and secrets and writes the files that the programs read. */
async function layOut(dir: string): Promise<Layout> {
  const [etcdPort, etcdPeerPort, apiPort] = await freePorts(3);
  const layout: Layout = {
    dir,
    etcdUrl: `http://127.0.0.1:${etcdPort}`,
    etcdPeerUrl: `http://127.0.0.1:${etcdPeerPort}`,
    port: apiPort,
    url: `https://127.0.0.1:${apiPort}`,
    // The API server signs its own certificate into this folder; being self-signed, it is also the CA.
    certDir: join(dir, 'certs'),
    caFile: join(dir, 'certs', 'apiserver.crt'),
    tokenFile: join(dir, 'tokens.csv'),
    serviceAccountKey: join(dir, 'service-account.key'),
    serviceAccountPublicKey: join(dir, 'service-account.pub'),
    adminKubeconfig: join(dir, 'admin.kubeconfig'),
    controllerManagerKubeconfig: join(dir, 'controller-manager.kubeconfig'),
    kubectl: join(dir, 'kubectl'),
    adminToken: randomBytes(24).toString('hex'),
    controllerManagerToken: randomBytes(24).toString('hex'),
  };
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'sec1', format: 'pem' },
  });
  writeFileSync(layout.serviceAccountPublicKey, publicKey);
  writeFileSync(layout.serviceAccountKey, privateKey, { mode: 0o600 });
  const tokens = [
    `${layout.adminToken},admin,admin,"system:masters"`,
    `${layout.controllerManagerToken},system:kube-controller-manager,controller-manager,""`,
  ];
  writeFileSync(layout.tokenFile, `${tokens.join('\n')}\n`, { mode: 0o600 });
  return layout;
}

function kubeconfigFor(layout: Layout, token: string): string {
  return kubeconfig(layout.url, readFileSync(layout.caFile, 'utf8'), token);
}

/** @throws as soon as one of the processes has ended, or at the deadline; with the ends of their logs */
async function waitUntil(
  holds: () => Promise<boolean>,
  what: string,
  processes: readonly GuardedProcess[],
): Promise<void> {
  const deadline = performance.now() + startDeadlineMs;
  while (!(await holds())) {
    const dead = processes.find((process) => process.ended());
    if (dead) throw failure(`${dead.name} ended (${dead.ended()})`, [dead]);
    if (performance.now() > deadline)
      throw failure(`${what} did not become ready in ${startDeadlineMs / 1000} s`, processes);
    await sleep(50);
  }
}

function failure(what: string, processes: readonly GuardedProcess[]): Error {
  const logs = processes.map(({ logFile }) => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''));
  const tails = logs.map(
    (log, i) => `--- ${processes[i]?.name}\n${log.trimEnd().split('\n').slice(-logTailLines).join('\n')}`,
  );
  const message = `The test control plane did not start: ${what}.\n${tails.join('\n')}`;
  // Between choosing a free port and listening on it somebody else can take it.
  return logs.some((log) => log.includes('address already in use')) ? new PortTaken(message) : new Error(message);
}

/** Whether GET `path` as admin answers 200. */
function answersOk(layout: Layout, path: string): Promise<boolean> {
  if (!existsSync(layout.caFile)) return Promise.resolve(false);
  const headers = { authorization: `Bearer ${layout.adminToken}` };
  return new Promise((resolve) => {
    const request = get(`${layout.url}${path}`, {
      ca: readFileSync(layout.caFile),
      headers,
      timeout: 2_000,
      agent: false,
    });
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
    request.on('timeout', () => request.destroy());
  });
}
