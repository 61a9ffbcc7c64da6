// Reads packets from a socket one at a time and takes not a byte more, so that whatever follows can still be handed
// to TLS or piped on.
import type { Readable } from 'node:stream';
import { parseStartPacket, ProtocolError } from './messages.ts';
import type { Message, StartPacket } from './messages.ts';

/** The other side hung up before it had said everything. Nobody is left to tell. */
export class HungUp extends Error {}

/** The limit of PostgreSQL itself for a startup packet. */
const longestStartPacket = 10_000;

/** Resolves with exactly `length` bytes, which may be 0. Rejects with `HungUp` when the stream ends before. */
export async function readBytes(stream: Readable, length: number): Promise<Buffer> {
  let taken = Buffer.alloc(0);
  while (taken.length < length) {
    // All there is: what stays in the stream would be announced again at once, and without end.
    const chunk = stream.read() as Buffer | null;
    if (chunk) taken = Buffer.concat([taken, chunk]);
    else if (stream.readableEnded || stream.destroyed) throw new HungUp('the connection was closed');
    else await moreToRead(stream);
  }
  if (taken.length > length) stream.unshift(taken.subarray(length));
  return taken.subarray(0, length);
}

/** The packet at the start of a connection, or `direct TLS` if the client begins with a handshake instead. */
export async function readStart(stream: Readable): Promise<StartPacket | { readonly kind: 'directTls' }> {
  const first = await readBytes(stream, 1);
  const tlsHandshake = 0x16;
  if (first[0] === tlsHandshake) {
    stream.unshift(first);
    return { kind: 'directTls' };
  }
  const length = Buffer.concat([first, await readBytes(stream, 3)]).readUInt32BE(0);
  if (length < 8 || length > longestStartPacket) throw new ProtocolError('invalid length of startup packet');
  return parseStartPacket(await readBytes(stream, length - 4));
}

/** A message of at most `longest` bytes. */
export async function readMessage(stream: Readable, longest: number): Promise<Message> {
  const head = await readBytes(stream, 5);
  const length = head.readUInt32BE(1);
  if (length < 4 || length > longest) throw new ProtocolError('invalid message length');
  return { type: head.toString('latin1', 0, 1), body: await readBytes(stream, length - 4) };
}

function moreToRead(stream: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    const stopListening = (): void => {
      stream.off('readable', more).off('end', more).off('close', more).off('error', fail);
    };
    const more = (): void => {
      stopListening();
      resolve();
    };
    const fail = (cause: Error): void => {
      stopListening();
      reject(new HungUp('the connection broke', { cause }));
    };
    stream.on('readable', more).on('end', more).on('close', more).on('error', fail);
  });
}
