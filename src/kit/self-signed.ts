// A certificate for this process alone. By hand, because Node makes keys and signatures but no certificates, and the
// library that does would add 0.6 MB to every process for these few lines.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { ServingCertificate } from './serving-certificate.ts';

/** A value of ASN.1 in DER: tag, length, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const set = (...parts: readonly Buffer[]): Buffer => der(0x31, ...parts);
const integer = (content: Buffer): Buffer => der(0x02, content);
const octets = (...parts: readonly Buffer[]): Buffer => der(0x04, ...parts);
const bits = (content: Buffer): Buffer => der(0x03, Buffer.from([0]), content);
const oid = (encoded: string): Buffer => der(0x06, hex(encoded));

const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
const commonName = oid('550403');
const subjectAltName = oid('551d11');
const extendedKeyUsage = oid('551d25');
const serverAuth = oid('2b06010505070301');

/** UTCTime: good until 2049. */
const time = (date: Date): Buffer =>
  der(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replaceAll(/[-:T]/g, '')}Z`));

const validMs = 10 * 365 * 86_400_000;
/** For clocks that lag. */
const leewayMs = 3_600_000;

/** A server certificate for `name`. Nobody can check it: it only keeps what is said from being read on the way. */
export function selfSigned(name: string, now: Date): ServingCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = sequence(set(sequence(commonName, der(0x0c, Buffer.from(name)))));
  const certificate = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    // A positive number: the first byte says so.
    integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    ecdsaWithSha256,
    subject,
    sequence(time(new Date(now.getTime() - leewayMs)), time(new Date(now.getTime() + validMs))),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        sequence(extendedKeyUsage, octets(sequence(serverAuth))),
        sequence(subjectAltName, octets(sequence(der(0x82, Buffer.from(name))))),
      ),
    ),
  );
  const signed = sequence(certificate, ecdsaWithSha256, bits(sign('sha256', certificate, privateKey)));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${signed.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  };
}
