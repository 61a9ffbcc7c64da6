// `make build`: the operator and the emulator as one file each in dist/, which need Node 24 and nothing else.

import { build } from 'esbuild';
import { rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const outputs = {
  'dist/lakebranch.mjs': 'src/main.ts',
  'dist/lakebranch-emulator.mjs': 'src/emulator/main.ts',
};

// CommonJS packages inside an ES module still expect these three.
const commonJs = [
  `import { createRequire as $createRequire } from 'node:module';`,
  `import { fileURLToPath as $fileURLToPath } from 'node:url';`,
  `const require = $createRequire(import.meta.url);`,
  `const __filename = $fileURLToPath(import.meta.url);`,
  `const __dirname = $fileURLToPath(new URL('.', import.meta.url));`,
].join('\n');

rmSync(join(root, 'dist'), { recursive: true, force: true });
for (const [output, entry] of Object.entries(outputs)) {
  const outfile = join(root, output);
  await build({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    keepNames: true, // error classes and log lines show names
    sourcemap: true,
    external: ['pg-native'], // an optional part of pg that is never installed
    banner: { js: `#!/usr/bin/env node\n${commonJs}` },
    logLevel: 'warning',
  });
  console.log(`${relative(root, outfile)}  ${(statSync(outfile).size / 1e6).toFixed(1)} MB`);
}
