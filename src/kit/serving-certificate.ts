// The certificate of a server of ours, from a folder in which others renew it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';

/** Key and chain, both PEM. */
export interface ServingCertificate {
  readonly key: string;
  readonly cert: string;
}

/** One line that names the folder and what is wrong in it. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** `tls.crt` and `tls.key` of a folder, as in a mounted Secret. Throws CertificateError. */
export async function certificateIn(folder: string, setting: string): Promise<ServingCertificate> {
  const read = async (name: string): Promise<string> => {
    try {
      return await readFile(join(folder, name), 'utf8');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'cannot be read';
      throw new CertificateError(
        `${setting}: ${join(folder, name)}: ${code}. Mount a Secret of type kubernetes.io/tls`,
      );
    }
  };
  const [cert, key] = await Promise.all([read('tls.crt'), read('tls.key')]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new CertificateError(
      `${setting}: tls.crt and tls.key in ${folder} are no certificate with its key (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`,
    );
  }
  return { cert, key };
}
