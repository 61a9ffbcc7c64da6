// Process edge of the emulator: arguments and environment in, exit code out. Wires the control plane to PostgreSQL.
import { hostname } from 'node:os';
import { systemClock } from '../kit/clock.ts';
import { answerAdmin } from './admin.ts';
import { namesForAddress, openCertificateAuthority, type CertificateAuthority } from './certificates.ts';
import { createEmulator, type Emulator } from './emulator.ts';
import { BadSetting, helpText, readSettings, variableOf, type FlagName, type ProcessSettings } from './flags.ts';
import { noDataPlane } from './no-data-plane.ts';
import { createPostgresDataPlane } from './postgres/postgres-data-plane.ts';
import { certificateNames, parseHostPattern } from './proxy/names.ts';
import { startServer, type RunningServer } from './server.ts';
import { developmentPrincipal } from './settings.ts';
import { fileStore } from './store.ts';
import type { DataPlane, LoginVerdict } from './data-plane.ts';
import type { LoginAttempt } from './login.ts';
import type { Log } from './workspace.ts';

if (process.argv.includes('--help')) process.stdout.write(helpText());
else await run().catch(giveUp);

async function run(): Promise<void> {
  const settings = readSettings(process.argv.slice(2), process.env);
  const stopped = stopSignal();
  const { dataPlane, emulator } = await assemble(settings);
  try {
    const server = await serve(settings, emulator);
    process.stdout.write(welcome(settings, server));
    await stopped;
    await server.close();
  } finally {
    await stopAll(emulator, dataPlane);
  }
}

/** The instances end whatever becomes of the state: left alone they would outlive this process. */
async function stopAll(emulator: Emulator | undefined, dataPlane: DataPlane): Promise<void> {
  try {
    await emulator?.stop();
  } finally {
    await dataPlane.stop();
  }
}

async function assemble(settings: ProcessSettings): Promise<{ dataPlane: DataPlane; emulator: Emulator }> {
  const { stateDir, pgPort, hostMode } = settings;
  // Logins can only come once the endpoints are open, and it is the emulator that opens them.
  let emulator: Emulator | undefined;
  const authorize = (login: Omit<LoginAttempt, 'endpoint'> & { endpointUid: string }): Promise<LoginVerdict> => {
    if (!emulator) return Promise.resolve({ ok: false, sqlState: '57P03', message: 'the emulator is starting' });
    return emulator.authorizeLogin({ ...login, endpoint: { uid: login.endpointUid } });
  };
  const dataPlane = settings.postgres
    ? await createPostgresDataPlane({ stateDir, pgPort, hostMode, authorize, clock: systemClock, log })
    : noDataPlane();
  try {
    const store = fileStore(stateDir);
    emulator = createEmulator({ clock: systemClock, dataPlane, settings: settings.core, store, log });
    await emulator.started;
    return { dataPlane, emulator };
  } catch (error) {
    // What failed first is what is told.
    await stopAll(emulator, dataPlane).catch(() => undefined);
    throw error;
  }
}

async function serve(settings: ProcessSettings, emulator: Emulator): Promise<RunningServer> {
  const { stateDir, listen, httpPort, httpsPort, admin } = settings;
  const authority = await openCertificateAuthority(stateDir);
  const parts = {
    emulator,
    caCertificate: authority.certificate,
    serverCertificate: await httpsCertificate(settings, authority),
    ...(admin ? { admin: (request: Parameters<typeof answerAdmin>[1]) => answerAdmin(emulator, request) } : {}),
    log,
  };
  try {
    return await startServer(parts, { host: listen, httpPort, httpsPort });
  } catch (error) {
    throw listenProblem(error as NodeJS.ErrnoException & { port?: number }, settings);
  }
}

function httpsCertificate(
  { listen, httpsNames, hostMode }: ProcessSettings,
  authority: CertificateAuthority,
): ReturnType<CertificateAuthority['issue']> {
  const endpointNames = hostMode.kind === 'names' ? certificateNames(parseHostPattern(hostMode.hostPattern)) : [];
  const names = [...httpsNames, ...namesForAddress(listen), '127.0.0.1', hostname(), ...endpointNames];
  return authority.issue([...new Set(names)]);
}

function listenProblem(error: NodeJS.ErrnoException & { port?: number }, settings: ProcessSettings): Error {
  const flag: FlagName = error.port === settings.httpsPort ? 'https-port' : 'http-port';
  const problems: Record<string, string> = {
    EADDRINUSE: `--${flag} (or ${variableOf(flag)}): port ${error.port ?? 0} is taken, choose another one`,
    EACCES: `--${flag} (or ${variableOf(flag)}): port ${error.port ?? 0} may not be used by this user`,
    EADDRNOTAVAIL: `--listen (or ${variableOf('listen')}): this machine has no address ${settings.listen}`,
    ENOTFOUND: `--listen (or ${variableOf('listen')}): ${settings.listen} is no address of this machine`,
  };
  const problem = problems[error.code ?? ''];
  return problem === undefined ? error : new BadSetting(problem);
}

/** Resolves at the first request to stop, or when the terminal is closed; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}

function giveUp(error: unknown): void {
  process.stderr.write(`lakebranch-emulator: ${oneLine(error)}\n`);
  process.exitCode = 1;
}

/** File system errors name a path of the state folder, so the setting to change is that folder. */
function oneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  const words = error.message.replaceAll('\n', ' ');
  const ofFolder =
    ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'EEXIST'].includes(code ?? '') && path !== undefined;
  return ofFolder ? `--state-dir (or ${variableOf('state-dir')}): ${words}` : words;
}

/** One line per event on standard error; the callers see to it that no field holds a token. */
function log(message: Parameters<Log>[0], fields: Parameters<Log>[1] = {}): void {
  const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  process.stderr.write(`${new Date().toISOString()} ${message}${pairs.join('')}\n`);
}

function welcome(settings: ProcessSettings, { httpPort, httpsPort }: RunningServer): string {
  const { listen, core, pgPort, stateDir, postgres, admin } = settings;
  const host = listen === '0.0.0.0' || listen === '::' ? '127.0.0.1' : listen;
  const http = `http://${host}:${httpPort}`;
  const [first] = core.principals;
  const secret = first?.secret === developmentPrincipal.secret ? first.secret : '<its secret>';
  return [
    'A local Lakebase is ready.',
    '',
    `  API        ${http}  and  https://${host}:${httpsPort}`,
    `  databases  ${postgres ? `PostgreSQL ${core.pgVersion} on port ${pgPort}, TLS, one host per endpoint` : 'none (--no-postgres)'}`,
    `  CA         ${http}/ca.crt`,
    `  projects   ${core.projects.join(', ')}`,
    `  state      ${stateDir}`,
    ...(admin ? [`  admin      ${http}/admin/ is on: whoever reaches this port owns the emulator`] : []),
    '',
    '  Point any Databricks client at it:',
    '',
    `    export DATABRICKS_HOST=${http}`,
    ...(first?.kind === 'SERVICE_PRINCIPAL'
      ? [`    export DATABRICKS_CLIENT_ID=${first.name}`, `    export DATABRICKS_CLIENT_SECRET=${secret}`]
      : ['    export DATABRICKS_TOKEN=<the token of the user>']),
    '',
    'Stop it with Ctrl-C; everything is kept for the next start.',
    '',
  ].join('\n');
}
