import fc from 'fast-check';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import * as messages from './messages.ts';
import { HungUp, readBytes, readMessage, readStart } from './read.ts';

const packet = (...parts: (number | string)[]): Buffer =>
  Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(part, 'latin1');
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(part);
      return bytes;
    }),
  );

test.each([
  ['SSLRequest', packet(80877103), { kind: 'tls' }],
  ['GSSENCRequest', packet(80877104), { kind: 'gss' }],
  ['a cancel request', packet(80877102, 7, 'abcd'), { kind: 'cancel', processId: 7, secret: Buffer.from('abcd') }],
  ['a long secret of protocol 3.2', packet(80877102, 7, 'x'.repeat(32)), { secret: Buffer.from('x'.repeat(32)) }],
  ['protocol 3.0', packet(196608, 'user\0me\0\0'), { major: 3, minor: 0, parameters: new Map([['user', 'me']]) }],
  ['protocol 3.2', packet(196610, 'user\0me\0database\0d\0\0'), { major: 3, minor: 2 }],
  ['an empty value', packet(196608, 'user\0me\0options\0\0\0'), { kind: 'startup' }],
  ['protocol 2', packet(131072, '\0'), { kind: 'startup', major: 2, minor: 0 }],
])('%s is understood', (_what, bytes, expected) => {
  expect(messages.parseStartPacket(bytes)).toMatchObject(expected);
});

test.each([
  ['nothing', packet('ab')],
  ['a cancel request without a secret', packet(80877102, 7)],
  ['a name without a value', packet(196608, 'user\0')],
  ['a value that is cut off', packet(196608, 'user\0me')],
])('%s is refused', (_what, bytes) => {
  expect(() => messages.parseStartPacket(bytes)).toThrow(messages.ProtocolError);
});

const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((value) => !value.includes('\0'));

test('whatever parameters a client sends reach the instance as they were', () => {
  fc.assert(
    fc.property(fc.dictionary(text, text), (dictionary) => {
      const parameters = new Map(Object.entries(dictionary));
      const bytes = messages.encodeStartup(parameters);
      expect(bytes.readUInt32BE(0)).toBe(bytes.length);
      expect(messages.parseStartPacket(bytes.subarray(4))).toMatchObject({ kind: 'startup', major: 3, parameters });
    }),
  );
});

test('an error names its severity, code and text', () => {
  const bytes = messages.encodeFatal('28000', 'go away');
  expect(bytes.toString('latin1', 0, 1)).toBe('E');
  expect(bytes.readUInt32BE(1)).toBe(bytes.length - 1);
  expect(bytes.toString('utf8', 5)).toBe('SFATAL\0VFATAL\0C28000\0Mgo away\0\0');
});

test('a password ends at its zero byte, and must have one', () => {
  expect(messages.parsePassword(Buffer.from('secret\0'))).toBe('secret');
  expect(() => messages.parsePassword(Buffer.from('secret'))).toThrow(messages.ProtocolError);
});

test('reading takes what it needs and leaves the rest, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 20 }), async (cuts) => {
      const stream = new PassThrough();
      const reading = readMessage(stream, 100);
      let rest = Buffer.concat([messages.encodeMessage('p', Buffer.from('secret\0')), Buffer.from('the rest')]);
      for (const cut of cuts) {
        stream.write(rest.subarray(0, cut));
        rest = rest.subarray(cut);
        await nextTurn();
      }
      stream.end(rest);
      expect(await reading).toEqual({ type: 'p', body: Buffer.from('secret\0') });
      expect((await readBytes(stream, 8)).toString()).toBe('the rest');
      await expect(readBytes(stream, 1)).rejects.toThrow(HungUp);
    }),
    { numRuns: 50 },
  );
});

test('whoever hangs up in the middle of a packet is noticed', async () => {
  const stream = new PassThrough();
  const reading = readStart(stream);
  stream.write(Buffer.from([0, 0, 0]));
  await nextTurn();
  stream.end();
  await expect(reading).rejects.toThrow(HungUp);
});

test.each([
  ['a TLS handshake', Buffer.from([0x16, 3, 1]), { kind: 'directTls' }],
  ['an SSLRequest', packet(8, 80877103), { kind: 'tls' }],
])('a connection may begin with %s', async (_what, bytes, expected) => {
  const stream = new PassThrough();
  stream.write(bytes);
  expect(await readStart(stream)).toEqual(expected);
});

test('the first byte of a handshake is still there for TLS', async () => {
  const stream = new PassThrough();
  stream.write(Buffer.from([0x16, 3, 1]));
  await readStart(stream);
  expect(await readBytes(stream, 3)).toEqual(Buffer.from([0x16, 3, 1]));
});

test.each([
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n')],
  ['a length too small', packet(3)],
])('%s is no start packet', async (_what, bytes) => {
  const stream = new PassThrough();
  stream.end(bytes);
  await expect(readStart(stream)).rejects.toThrow(messages.ProtocolError);
});
