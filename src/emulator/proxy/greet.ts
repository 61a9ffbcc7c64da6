// The beginning of a connection, up to the point where the client has said over TLS what it wants.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { ProtocolError } from './messages.ts';
import type { BackendKey, Parameters, StartPacket } from './messages.ts';
import { HungUp, readStart } from './read.ts';
import { Refusal } from './refusal.ts';

/** Registered with IANA for PostgreSQL; a client that skips the SSLRequest has to offer it. */
const protocolName = 'postgresql';

export type Wish =
  | { readonly kind: 'cancel'; readonly key: BackendKey }
  | {
      readonly kind: 'login';
      readonly serverName: string | undefined;
      readonly minor: number;
      readonly parameters: Parameters;
    };

/** The client's side of a connection; `stream` is replaced once TLS is up, and is where errors are to be told. */
export interface ClientSide {
  stream: Socket;
}

/** Cancel requests are served without TLS too, since node-postgres sends them so; logins are not. */
export async function greet(client: ClientSide, secureContext: SecureContext): Promise<Wish> {
  for (;;) {
    const packet = await readStart(client.stream);
    switch (packet.kind) {
      case 'gss':
        refuseInsideTls(client);
        client.stream.write('N');
        break;
      case 'tls':
        refuseInsideTls(client);
        await acceptTls(client, secureContext);
        break;
      case 'directTls':
        refuseInsideTls(client);
        await startTls(client, secureContext);
        if (alpnOf(client) !== protocolName) throw new HungUp('direct TLS without the name of the protocol');
        break;
      case 'cancel':
        return { kind: 'cancel', key: packet };
      case 'startup':
        return login(client, packet);
    }
  }
}

function login(client: ClientSide, packet: StartPacket & { kind: 'startup' }): Wish {
  const { stream } = client;
  if (!(stream instanceof TLSSocket)) {
    const version = packet.major * 65_536 + packet.minor;
    throw new Refusal('08P01', `Invalid protocol version: ${version}`);
  }
  if (packet.major !== 3) {
    throw new Refusal('0A000', `unsupported frontend protocol ${packet.major}.${packet.minor}: server supports 3.0`);
  }
  const { servername } = stream as { servername?: string | false };
  return {
    kind: 'login',
    serverName: servername || undefined,
    minor: packet.minor,
    parameters: packet.parameters,
  };
}

function refuseInsideTls(client: ClientSide): void {
  if (client.stream instanceof TLSSocket) throw new ProtocolError('encryption was asked for twice');
}

async function acceptTls(client: ClientSide, secureContext: SecureContext): Promise<void> {
  // Bytes sent before the handshake came from no one who can be trusted, and must not be taken for the client's.
  if (client.stream.readableLength > 0) throw new ProtocolError('received unencrypted data after SSL request');
  await new Promise<void>((resolve) => client.stream.write('S', () => resolve()));
  await startTls(client, secureContext);
}

async function startTls(client: ClientSide, secureContext: SecureContext): Promise<void> {
  const secured = new TLSSocket(client.stream, { isServer: true, secureContext, ALPNProtocols: [protocolName] });
  await new Promise<void>((resolve, reject) => {
    const fail = (cause?: Error): void => reject(new HungUp('the TLS handshake failed', { cause }));
    secured.once('secure', () => {
      secured.off('error', fail).off('close', fail);
      resolve();
    });
    secured.once('error', fail).once('close', fail);
  });
  secured.on('error', () => secured.destroy());
  client.stream = secured;
}

const alpnOf = ({ stream }: ClientSide): unknown => stream instanceof TLSSocket && stream.alpnProtocol;
