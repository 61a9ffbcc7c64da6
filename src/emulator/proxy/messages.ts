// The few messages of the PostgreSQL wire protocol that the proxy reads or writes itself, as bytes. Pure.
// https://www.postgresql.org/docs/17/protocol-message-formats.html

/** What an untyped packet at the start of a connection asks for. */
export type StartPacket =
  | { readonly kind: 'tls' }
  | { readonly kind: 'gss' }
  | { readonly kind: 'cancel'; readonly processId: number; readonly secret: Buffer }
  | { readonly kind: 'startup'; readonly major: number; readonly minor: number; readonly parameters: Parameters };

/** Parameters of a session in the order sent: `user`, `database`, `application_name` and so on. */
export type Parameters = ReadonlyMap<string, string>;

export interface BackendKey {
  readonly processId: number;
  readonly secret: Buffer;
}

/** A message with a type: one ASCII letter, four bytes of length, the body. */
export interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** The bytes are not what the protocol allows at this place. */
export class ProtocolError extends Error {}

const cancelCode = 80_877_102;
const tlsCode = 80_877_103;
const gssCode = 80_877_104;
const protocolThree = 3 << 16;

/** Parses what follows the length of an untyped packet. */
export function parseStartPacket(body: Buffer): StartPacket {
  if (body.length < 4) throw new ProtocolError('invalid length of startup packet');
  const code = body.readUInt32BE(0);
  switch (code) {
    case tlsCode:
      return { kind: 'tls' };
    case gssCode:
      return { kind: 'gss' };
    case cancelCode:
      if (body.length < 12) throw new ProtocolError('invalid length of cancel request');
      return { kind: 'cancel', processId: body.readUInt32BE(4), secret: body.subarray(8) };
    default:
      return {
        kind: 'startup',
        major: code >>> 16,
        minor: code & 0xffff,
        parameters: parseParameters(body.subarray(4)),
      };
  }
}

function parseParameters(bytes: Buffer): Parameters {
  const texts = bytes.toString('utf8').split('\0');
  const parameters = new Map<string, string>();
  for (let at = 0; texts[at]; at += 2) {
    const value = texts[at + 1];
    // The last text lies behind the last zero byte, so a value there was cut off.
    if (value === undefined || at + 2 >= texts.length) throw new ProtocolError('invalid startup packet layout');
    parameters.set(texts[at] ?? '', value);
  }
  return parameters;
}

/** A startup packet of protocol 3.0. */
export function encodeStartup(parameters: Parameters): Buffer {
  const texts = [...parameters].flatMap(([name, value]) => [name, value]);
  const body = Buffer.from(`${texts.map((text) => `${text}\0`).join('')}\0`);
  return Buffer.concat([uint32(8 + body.length), uint32(protocolThree), body]);
}

export const encodeCancel = (key: BackendKey): Buffer =>
  Buffer.concat([uint32(12 + key.secret.length), uint32(cancelCode), uint32(key.processId), key.secret]);

export const encodeMessage = (type: string, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(type, 'latin1'), uint32(4 + body.length), body]);

export const authenticationCleartextPassword: Buffer = encodeMessage('R', uint32(3));

/** The password without its closing zero byte. */
export function parsePassword(body: Buffer): string {
  const end = body.indexOf(0);
  if (end === -1) throw new ProtocolError('invalid password packet');
  return body.toString('utf8', 0, end);
}

export function parseBackendKey(body: Buffer): BackendKey {
  if (body.length < 8) throw new ProtocolError('invalid key packet');
  return { processId: body.readUInt32BE(0), secret: body.subarray(4) };
}

export const encodeBackendKey = (key: BackendKey): Buffer =>
  encodeMessage('K', Buffer.concat([uint32(key.processId), key.secret]));

/** Tells a client that asked for a later protocol, or for protocol options, that it gets 3.0 without them. */
export function encodeNegotiation(unknownOptions: readonly string[]): Buffer {
  const names = Buffer.from(unknownOptions.map((name) => `${name}\0`).join(''));
  return encodeMessage('v', Buffer.concat([uint32(protocolThree), uint32(unknownOptions.length), names]));
}

/** An error that ends the session. `sqlState` is a five-character code of the PostgreSQL manual's appendix A. */
export function encodeFatal(sqlState: string, message: string): Buffer {
  const fields = { S: 'FATAL', V: 'FATAL', C: sqlState, M: message };
  const body = Object.entries(fields).map(([letter, value]) => `${letter}${value.replaceAll('\0', '')}\0`);
  return encodeMessage('E', Buffer.from(`${body.join('')}\0`));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
