// One client connection from its first byte to its last: TLS, password, and then bytes both ways.
import type { Socket } from 'node:net';
import type { Gate, ProxiedEndpoint } from './gate.ts';
import { greet } from './greet.ts';
import type { ClientSide, Wish } from './greet.ts';
import {
  authenticationCleartextPassword,
  encodeBackendKey,
  encodeFatal,
  encodeMessage,
  encodeNegotiation,
  encodeStartup,
  parseBackendKey,
  parsePassword,
  ProtocolError,
} from './messages.ts';
import type { BackendKey, Parameters } from './messages.ts';
import { HungUp, readMessage } from './read.ts';
import { Refusal } from './refusal.ts';

/** How long a client may take to say who it is; PostgreSQL's authentication_timeout. */
const loginDeadlineMs = 60_000;
/** How long a client may take to read the last words that were sent to it. */
const farewellMs = 5_000;
const longestPassword = 65_536;
const longestBackendMessage = 1_048_576;

type Login = Wish & { kind: 'login' };

export class Session {
  readonly #gate: Gate;
  readonly #client: ClientSide;
  #backend: Socket | undefined;
  #endpointUid: string | undefined;

  constructor(socket: Socket, gate: Gate) {
    this.#gate = gate;
    this.#client = { stream: socket };
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
  }

  /** Known once the client has said where it wants to go. */
  get endpointUid(): string | undefined {
    return this.#endpointUid;
  }

  /** Serves the connection until both sides are closed. Never rejects: whatever goes wrong ends the connection. */
  async run(): Promise<void> {
    const deadline = setTimeout(() => this.end(), loginDeadlineMs);
    try {
      const wish = await greet(this.#client, this.#gate.secureContext);
      if (wish.kind === 'cancel') {
        await this.#gate.cancels.cancel(wish.key);
        this.#sayFarewell();
      } else {
        await this.#serve(wish, () => clearTimeout(deadline));
      }
    } catch (error) {
      this.#giveUp(error);
    } finally {
      clearTimeout(deadline);
    }
    await closed(this.#client.stream);
  }

  /** Cuts both sides off. */
  end(): void {
    this.#client.stream.destroy();
    this.#backend?.destroy();
  }

  async #serve(login: Login, onLoggedIn: () => void): Promise<void> {
    const endpoint = this.#gate.route(login.serverName);
    if (!endpoint) throw new Refusal('08004', noEndpoint(login.serverName));
    this.#endpointUid = endpoint.uid;
    const parameters = this.#negotiate(login);
    await this.#authenticate(endpoint, parameters);
    onLoggedIn();
    if (this.#client.stream.destroyed) throw new HungUp('the client did not wait');
    const done = endpoint.begin();
    try {
      await this.#connect(endpoint, parameters);
    } finally {
      done();
    }
  }

  /** Instances speak 3.0; a client that can do more is told so and goes on in 3.0. */
  #negotiate({ minor, parameters }: Login): Parameters {
    const options = [...parameters.keys()].filter((name) => name.startsWith('_pq_.'));
    if (minor > 0 || options.length > 0) this.#client.stream.write(encodeNegotiation(options));
    return new Map([...parameters].filter(([name]) => !options.includes(name)));
  }

  async #authenticate(endpoint: ProxiedEndpoint, parameters: Parameters): Promise<void> {
    const user = parameters.get('user');
    if (!user) throw new Refusal('28000', 'no PostgreSQL user name specified in startup packet');
    const password = await this.#askForPassword();
    if (user === this.#gate.reservedUser) throw new Refusal('28000', `role "${user}" is not permitted to log in`);
    const database = parameters.get('database') || user;
    const verdict = await this.#gate.authorize({ endpointUid: endpoint.uid, user, password, database });
    if (!verdict.ok) throw new Refusal(verdict.sqlState, verdict.message);
  }

  async #askForPassword(): Promise<string> {
    this.#client.stream.write(authenticationCleartextPassword);
    const { type, body } = await readMessage(this.#client.stream, longestPassword);
    // A client that has no password to give says goodbye here, to ask its user and come back.
    if (type === 'X') throw new HungUp('the client has no password');
    if (type !== 'p') throw new ProtocolError(`expected password response, got message type "${type}"`);
    return parsePassword(body);
  }

  async #connect(endpoint: ProxiedEndpoint, parameters: Parameters): Promise<void> {
    const backend = await this.#reach(endpoint);
    this.#backend = backend;
    backend.on('error', () => backend.destroy());
    backend.write(encodeStartup(parameters));
    let given: BackendKey | undefined;
    try {
      given = await this.#passGreeting(backend, endpoint);
      await this.#pipe(backend);
    } finally {
      if (given) this.#gate.cancels.forget(given);
      backend.destroy();
    }
  }

  async #reach(endpoint: ProxiedEndpoint): Promise<Socket> {
    try {
      return await endpoint.connect();
    } catch (error) {
      this.#gate.onUnreachable(endpoint.uid, error);
      throw new Refusal('57P03', 'the compute of this endpoint could not be started; the log of the emulator says why');
    }
  }

  /** Passes on what the instance says up to its key, which it replaces. Returns the key given to the client. */
  async #passGreeting(backend: Socket, endpoint: ProxiedEndpoint): Promise<BackendKey | undefined> {
    for (;;) {
      const { type, body } = await readMessage(backend, longestBackendMessage);
      if (type === 'K') {
        const given = this.#gate.cancels.register(parseBackendKey(body), () => endpoint.connect());
        this.#client.stream.write(encodeBackendKey(given));
        return given;
      }
      this.#client.stream.write(encodeMessage(type, body));
      // An error ends the login. The instance closes the connection, and so do we by piping its end.
      if (type === 'E') return undefined;
    }
  }

  /** Both ways with back-pressure, until both sides are closed. */
  async #pipe(backend: Socket): Promise<void> {
    const client = this.#client.stream;
    const backendClosed = closed(backend);
    const clientClosed = closed(client);
    client.pipe(backend);
    backend.pipe(client);
    void clientClosed.then(() => backend.destroy());
    await backendClosed;
    this.#sayFarewell();
    await clientClosed;
  }

  #giveUp(error: unknown): void {
    if (error instanceof Refusal) return this.#sayFarewell(encodeFatal(error.sqlState, error.message));
    if (error instanceof ProtocolError) return this.#sayFarewell(encodeFatal('08P01', error.message));
    if (error instanceof HungUp) return this.end();
    // Its text may come from anywhere, so it stays here.
    this.#sayFarewell(encodeFatal('XX000', 'internal error of the emulator'));
  }

  /** Closes the client's side once it has read everything, or has had the time to. */
  #sayFarewell(lastWords: Buffer = Buffer.alloc(0)): void {
    const { stream } = this.#client;
    if (stream.destroyed) return;
    const impatience = setTimeout(() => stream.destroy(), farewellMs);
    stream.once('close', () => clearTimeout(impatience));
    // Bytes nobody wants any more, but unread they would keep the stream from closing.
    stream.resume();
    if (!stream.writableEnded) stream.end(lastWords);
  }
}

function noEndpoint(serverName: string | undefined): string {
  if (serverName !== undefined) return `no endpoint is known under the name ${serverName}`;
  return 'the endpoint cannot be told: the client sent no server name (SNI), which this emulator needs to route by';
}

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
