// A misconfigured operator or emulator ends with one line that names the setting, as it is installed: from its bundle.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crdPath, kinds } from '../../scripts/generate/crds.ts';
import { startControlPlane, type ControlPlane } from '../control-plane/control-plane.ts';
import { builtBundles, type Bundles } from '../stack/built.ts';
import { install } from '../stack/install.ts';
import { runKubectl } from '../stack/kubectl.ts';

let bundles: Bundles;
let dir: string;
/** Somebody listens here. */
let taken: Server;
let takenPort: number;

beforeAll(async () => {
  bundles = await builtBundles();
  dir = await mkdtemp(join(tmpdir(), 'lakebranch-start-errors-'));
  await chmod(dir, 0o755);
  taken = createServer().listen(0, '0.0.0.0');
  await once(taken, 'listening');
  takenPort = (taken.address() as AddressInfo).port;
});
afterAll(async () => {
  taken?.close();
  await rm(dir, { recursive: true, force: true });
});

interface End {
  readonly code: unknown;
  readonly stderr: string;
}

type Env = Readonly<Record<string, string>>;

/** Runs a bundle to its end, which is expected to come by itself. */
function run(bundle: string, args: readonly string[], env: Env): Promise<End> {
  return new Promise((resolve) => {
    const all = { PATH: process.env['PATH'], HOME: dir, ...env };
    execFile(process.execPath, [bundle, ...args], { env: all, timeout: 80_000 }, (error, _stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stderr }),
    );
  });
}

/** One line, the last of what it wrote, and no stack trace before it. */
function expectOneLine({ code, stderr }: End, program: string, words: RegExp): void {
  const lines = stderr.trimEnd().split('\n');
  expect({ code, lines: lines.length }).toEqual({ code: 1, lines: 1 });
  expect(stderr).toMatch(new RegExp(`^${program}: `));
  expect(stderr).toMatch(words);
}

describe('the operator', () => {
  let controlPlane: ControlPlane;
  let env: Env;

  beforeAll(async () => {
    controlPlane = await startControlPlane();
    env = {
      KUBECONFIG: controlPlane.adminKubeconfig,
      LAKEBRANCH_NAMESPACE: 'lakebranch-system',
      LAKEBRANCH_HTTP_PORT: '0',
      LAKEBRANCH_HTTP_HOST: '127.0.0.1',
    };
  });
  afterAll(() => controlPlane?.stop());

  const expectEnd = async (change: Env, words: RegExp): Promise<void> =>
    expectOneLine(await run(bundles.operator, [], { ...env, ...change }), 'lakebranch', words);

  test.each<[string, Env, RegExp]>([
    ['no namespace', { LAKEBRANCH_NAMESPACE: '' }, /LAKEBRANCH_NAMESPACE: must be set/],
    ['a number that is none', { LAKEBRANCH_WORKERS: 'many' }, /LAKEBRANCH_WORKERS: /],
    ['a level nobody knows', { LAKEBRANCH_LOG_LEVEL: 'loud' }, /LAKEBRANCH_LOG_LEVEL: /],
    ['a kubeconfig that is not there', { KUBECONFIG: '/does/not/exist' }, /KUBECONFIG: \/does\/not\/exist/],
  ])('with %s', (_what, change, words) => expectEnd(change, words));

  test('with a kubeconfig that is none', async () => {
    const KUBECONFIG = join(dir, 'kubeconfig');
    await writeFile(KUBECONFIG, 'this: [is not');
    await expectEnd({ KUBECONFIG }, /KUBECONFIG: .* cannot be read/);
  });

  test('with an API server that is not there', async () => {
    const KUBECONFIG = join(dir, 'nobody');
    const text = controlPlane.kubeconfigFor('token');
    await writeFile(KUBECONFIG, text.replaceAll(controlPlane.url, 'https://127.0.0.1:1'));
    await expectEnd({ KUBECONFIG }, /KUBECONFIG or in-cluster configuration: /);
  });

  test('with a token that the API server does not know', async () => {
    const KUBECONFIG = join(dir, 'stranger');
    await writeFile(KUBECONFIG, controlPlane.kubeconfigFor('not-a-token'));
    await expectEnd({ KUBECONFIG }, /KUBECONFIG or in-cluster configuration: .*401/);
  });

  test('without CRDs, with those of another version, without rights, and on a taken port', async () => {
    await expectEnd({}, /does not serve \S+ in version v1alpha1: apply deploy\/crds\.yaml/);
    for (const kind of kinds) {
      const crd = (await readFile(crdPath(kind), 'utf8')).replaceAll('v1alpha1', 'v1beta9');
      await runKubectl(controlPlane, ['apply', '--server-side', '-f', '-'], { input: crd });
    }
    await runKubectl(controlPlane, ['wait', '--for=condition=Established', 'crd', '--all']);
    await expectEnd({}, /does not serve \S+ in version v1alpha1: apply deploy\/crds\.yaml/);
    await runKubectl(controlPlane, ['delete', 'crd', '--all']);
    await install(controlPlane);
    const token = await runKubectl(controlPlane, ['create', 'token', 'default']);
    const KUBECONFIG = join(dir, 'powerless');
    await writeFile(KUBECONFIG, controlPlane.kubeconfigFor(token));
    await expectEnd({ KUBECONFIG }, /may not list .*: give it the rights of the chart or of deploy\/install\.yaml/);
    await expectEnd({ LAKEBRANCH_HTTP_PORT: String(takenPort) }, /LAKEBRANCH_HTTP_PORT: .*EADDRINUSE/);
  });
});

describe('the emulator', () => {
  const expectEnd = async (args: readonly string[], words: RegExp, env: Env = {}): Promise<void> => {
    const ports = ['--http-port=0', '--https-port=0', '--no-postgres', `--state-dir=${join(dir, 'state')}`];
    expectOneLine(await run(bundles.emulator, [...ports, ...args], env), 'lakebranch-emulator', words);
  };

  test.each<[string, readonly string[], RegExp]>([
    ['an option nobody knows', ['--colour=red'], /--colour/],
    ['a duration that is none', ['--init-delay=soon'], /--init-delay .*"soon" is not a duration/],
    ['a state folder that cannot be one', ['--state-dir=/dev/null/state'], /--state-dir .*ENOTDIR/],
    ['an address of another machine', ['--listen=192.0.2.1'], /--listen .*192\.0\.2\.1/],
  ])('with %s', (_what, args, words) => expectEnd(args, words));

  test.each(['http', 'https'])('with a port of %s that is taken', async (what) => {
    const flag = `${what}-port`;
    await expectEnd([`--${flag}=${takenPort}`], new RegExp(`--${flag} .*${takenPort} is taken`));
  });

  test('with a principal that lacks a secret, which is not repeated', async () => {
    const variable = 'LAKEBRANCH_EMULATOR_SERVICE_PRINCIPAL';
    const end = await run(bundles.emulator, ['--no-postgres'], { [variable]: 'my-secret-alone' });
    expectOneLine(end, 'lakebranch-emulator', new RegExp(`${variable}.*<client id>:<secret>`));
    expect(end.stderr).not.toContain('my-secret-alone');
  });
});
