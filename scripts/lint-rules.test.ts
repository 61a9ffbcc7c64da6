import { RuleTester } from 'oxlint/plugins-dev';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import plugin from './lint-rules.ts';

RuleTester.describe = describe;
RuleTester.it = it;

const tester = new RuleTester({ languageOptions: { parserOptions: { lang: 'ts' } } });
const inSource = (place: string): string => join(import.meta.dirname, '../src', place);

const imports = (place: string, specifier: string): { name: string; filename: string; code: string } => ({
  name: `${place} imports ${specifier}`,
  filename: inSource(place),
  code: `import { x } from '${specifier}';`,
});

tester.run('import-direction', plugin.rules['import-direction'], {
  valid: [
    imports('kit/queue.ts', './clock.ts'),
    imports('kit/status.ts', '../api/names.ts'),
    imports('kit/queue.ts', 'pino'),
    imports('credentials/secret.ts', '../lakebase/token.ts'),
    imports('controllers/database-branch/act.ts', '../../credentials/plan.ts'),
    imports('lakebase/http-client.ts', '../kit/clock.ts'),
    imports('emulator/views.ts', '../lakebase/model.ts'),
    imports('app.ts', './controllers/providers.ts'),
    imports('lakebase/http-client.test.ts', '../emulator/server.ts'),
    imports('cli/commands/version.ts', '../../version.ts'),
  ],
  invalid: [
    imports('api/names.ts', '../kit/kube.ts'),
    imports('kit/queue.ts', '../lakebase/model.ts'),
    imports('lakebase/http-client.ts', '../kit/kube.ts'),
    imports('credentials/plan.ts', '../controllers/providers.ts'),
    imports('controllers/providers.ts', '../app.ts'),
    imports('controllers/providers.ts', '../emulator/server.ts'),
    imports('app.ts', './emulator/server.ts'),
    imports('emulator/views.ts', '../lakebase/http-client.ts'),
    imports('kit/queue.ts', '../../test/fakes/memory-kube.ts'),
    imports('cli/login.ts', '../controllers/providers.ts'),
    imports('controllers/classes.ts', '../cli/branch.ts'),
    { name: 'dynamic', filename: inSource('api/names.ts'), code: `await import('../kit/kube.ts');` },
    { name: 're-export', filename: inSource('api/names.ts'), code: `export * from '../kit/kube.ts';` },
  ].map((row) => ({ ...row, errors: 1 })),
});

const deciding = (code: string): { name: string; filename: string; code: string } => ({
  name: code,
  filename: inSource('controllers/database-branch/decide-deletion.ts'),
  code,
});

tester.run('pure-files', plugin.rules['pure-files'], {
  valid: [
    deciding('export const later = (now: Date) => new Date(now.getTime() + 1);'),
    deciding('// Date.now() and process.env in a comment'),
    { name: 'elsewhere', filename: inSource('kit/clock.ts'), code: 'export const now = () => Date.now();' },
  ],
  invalid: [
    'const now = Date.now();',
    'const now = new Date();',
    'const dice = Math.random();',
    'const name = process.env.NAME;',
    'const f = async () => 1;',
    'async function f() {}',
  ].map((code) => ({ ...deciding(code), errors: 1 })),
});
