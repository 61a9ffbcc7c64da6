// `make build`: the operator, the emulator and the kubectl plugin as one file each in dist/, which need Node 24 and nothing
// else.

import { build } from 'esbuild';
import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const outputs = {
  'dist/lakebranch.mjs': 'src/main.ts',
  'dist/lakebranch-emulator.mjs': 'src/emulator/main.ts',
  'dist/kubectl-lakebranch.mjs': 'src/cli/main.ts',
};

// CommonJS packages inside an ES module still expect these three.
const commonJs = [
  `import { createRequire as $createRequire } from 'node:module';`,
  `import { fileURLToPath as $fileURLToPath } from 'node:url';`,
  `const require = $createRequire(import.meta.url);`,
  `const __filename = $fileURLToPath(import.meta.url);`,
  `const __dirname = $fileURLToPath(new URL('.', import.meta.url));`,
].join('\n');

for (const [output, entry] of Object.entries(outputs)) {
  const { outputFiles } = await build({
    entryPoints: [join(root, entry)],
    outfile: join(root, output),
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    keepNames: true, // error classes and log lines show names
    sourcemap: true,
    // Node holds a source that has a single letter beyond ASCII, in a comment say, in twice the memory.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'external',
    external: ['pg-native'], // an optional part of pg that is never installed
    banner: { js: `#!/usr/bin/env node\n${commonJs}` },
    logLevel: 'warning',
  });
  for (const { path, contents } of outputFiles) replace(path, contents);
  console.log(`${output}  ${(statSync(join(root, output)).size / 1e6).toFixed(1)} MB`);
}

/** In one step, so that a process which starts the bundle meanwhile finds the old one or the new one whole. */
function replace(path: string, contents: Uint8Array): void {
  const draft = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(draft, contents, { mode: 0o755 });
  renameSync(draft, path);
}
