// `make build`: the operator, the emulator and the kubectl plugin as one file each in dist/, and what they are made of
// (SBOM).

import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundle, outputs, root } from './build/bundle.ts';
import { sbom } from './build/sbom.ts';

// Before bundling, which no longer shows which package a line came from.
replace(join(root, 'dist/sbom.cdx.json'), await sbom());

for (const output of Object.keys(outputs) as (keyof typeof outputs)[]) {
  for (const { path, contents } of await bundle(output)) replace(path, contents);
  console.log(`${output}  ${(statSync(join(root, output)).size / 1e6).toFixed(1)} MB`);
}

/** In one step, so that a process which starts the bundle meanwhile finds the old one or the new one whole. */
function replace(path: string, contents: Uint8Array | string): void {
  const draft = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(draft, contents, { mode: 0o755 });
  renameSync(draft, path);
}
