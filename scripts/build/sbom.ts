// The packages that the programs are made of, as CycloneDX, from the lock file. The same lock file gives the same text.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SetupError } from '../long-step.mjs';
import { root } from './bundle.ts';

interface Sbom {
  serialNumber?: string;
  readonly metadata: { timestamp?: string; readonly component: { name: string } };
  readonly components: readonly { readonly name: string }[];
}

/** @throws SetupError if npm cannot tell */
export async function sbom(): Promise<string> {
  const args = ['sbom', '--omit=dev', '--package-lock-only', '--sbom-format=cyclonedx'];
  let made: Sbom;
  try {
    const { stdout } = await promisify(execFile)('npm', args, { cwd: root, maxBuffer: 64 * 1024 * 1024 });
    made = JSON.parse(stdout) as Sbom;
  } catch (error) {
    throw new SetupError(`npm sbom failed: ${(error as Error).message.split('\n')[0]}`);
  }
  // npm names the whole after the folder, and adds a clock and a die.
  made.metadata.component.name = 'lakebranch';
  delete made.metadata.timestamp;
  const lockFile = await readFile(join(root, 'package-lock.json'));
  made.serialNumber = `urn:uuid:${uuidFrom(createHash('sha256').update(lockFile).digest('hex'))}`;
  return `${JSON.stringify(made, undefined, 2)}\n`;
}

/** A version 8 UUID, which is free to hold a hash. */
const uuidFrom = (hex: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
