// The packages that the programs are made of, as CycloneDX, from the lock file. The same lock file gives the same text.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SetupError } from '../long-step.mjs';
import { root } from './bundle.ts';

interface Component {
  readonly 'bom-ref': string;
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

interface Sbom {
  serialNumber?: string;
  readonly metadata: { timestamp?: string; readonly component: { name: string } };
  components: readonly Component[];
  dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** @throws SetupError if npm cannot tell */
export async function sbom(): Promise<string> {
  // Not --omit=dev: with it npm also leaves out what a package of development has as a peer, like pg.
  const args = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx'];
  let made: Sbom;
  try {
    const { stdout } = await promisify(execFile)('npm', args, { cwd: root, maxBuffer: 64 * 1024 * 1024 });
    made = JSON.parse(stdout) as Sbom;
  } catch (error) {
    throw new SetupError(`npm sbom failed: ${(error as Error).message.split('\n')[0]}`);
  }
  made.components = made.components.filter((component) => !isForDevelopment(component));
  const kept = new Set(made.components.map((component) => component['bom-ref']));
  made.dependencies = made.dependencies
    .filter(({ ref }, index) => index === 0 || kept.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => kept.has(other)) }));
  // npm names the whole after the folder, and adds a clock and a die.
  made.metadata.component.name = 'lakebranch';
  delete made.metadata.timestamp;
  const lockFile = await readFile(join(root, 'package-lock.json'));
  made.serialNumber = `urn:uuid:${uuidFrom(createHash('sha256').update(lockFile).digest('hex'))}`;
  return `${JSON.stringify(made, undefined, 2)}\n`;
}

const isForDevelopment = ({ properties = [] }: Component): boolean =>
  properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true');

/** A version 8 UUID, which is free to hold a hash. */
const uuidFrom = (hex: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
