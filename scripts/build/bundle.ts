// One file for each program, which needs Node 24 and nothing else. The same source gives the same bytes.

import { build, type OutputFile } from 'esbuild';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export const outputs = {
  'dist/lakebranch.mjs': 'src/main.ts',
  'dist/lakebranch-emulator.mjs': 'src/emulator/main.ts',
  'dist/kubectl-lakebranch.mjs': 'src/cli/main.ts',
} as const;

// CommonJS packages inside an ES module still expect these three.
const commonJs = [
  `import { createRequire as $createRequire } from 'node:module';`,
  `import { fileURLToPath as $fileURLToPath } from 'node:url';`,
  `const require = $createRequire(import.meta.url);`,
  `const __filename = $fileURLToPath(import.meta.url);`,
  `const __dirname = $fileURLToPath(new URL('.', import.meta.url));`,
].join('\n');

/** The bundle, its licenses and its source map; nothing is written. */
export async function bundle(output: keyof typeof outputs): Promise<readonly OutputFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join(root, outputs[output])],
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
  return outputFiles;
}
