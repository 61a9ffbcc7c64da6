// docs/plugin.md: the plugin's own help texts, and around them what no single command says.
import { commands } from '../../src/cli/commands.ts';
import { commandDocs, commonFlagDocs, exitCodeDocs } from '../../src/cli/help.ts';

const situations: readonly (readonly [situation: string, command: string])[] = [
  ['Something is wrong, and it is night', 'doctor'],
  ['This object is not ready', 'why NAME'],
  ['What is there, and until when', 'list -A'],
  ['A look into the database', 'psql NAME'],
  ['The branch ends too soon', 'extend NAME --by 24h'],
  ['The data is spoiled, begin anew', 'reset NAME'],
  ['A token was seen by somebody', 'rotate NAME'],
  ['Rows were deleted in production', 'restore production --ago 15m -n incident'],
  ['The operator will be away for days', 'park -A'],
  ['Who pays for that branch', 'orphans'],
];

export function pluginDocs(): string {
  return (
    [
      '<!-- Generated from src/cli by `npm run generate`. Do not edit. -->',
      '# The kubectl plugin',
      '`kubectl lakebranch` does by one command what the runbooks do by several. It has no rights of its own: everything happens with those of your kubeconfig, and plain `kubectl` can do the same.',
      [
        '| Situation | Command |',
        '|--|--|',
        ...situations.map(([situation, command]) => `| ${situation} | \`kubectl lakebranch ${command}\` |`),
      ].join('\n'),
      '## Install',
      'It is one file, which needs Node.js 24 or newer. `make build` writes it to `dist/`. Put it into your PATH under two names; under the second kubectl finds it to complete words:',
      [
        '```sh',
        'make build',
        'install -m 755 dist/kubectl-lakebranch.mjs ~/.local/bin/kubectl-lakebranch',
        'ln -s kubectl-lakebranch ~/.local/bin/kubectl_complete-lakebranch',
        'kubectl lakebranch version',
        '```',
      ].join('\n'),
      'Flags stand after `lakebranch`, as with every plugin: `kubectl lakebranch list --context prod`.',
      '## What every command takes',
      commonFlagDocs(),
      'Answers go to standard output, everything else to standard error: progress (a line for each change), warnings, and what went wrong. With `-o json` the answer is one JSON object, whose field `kind` says what it is (but for `env`, which prints the variables alone); fields may be added, none will be taken away or change their meaning.',
      'Commands that change something wait until it has come about. The wait can be broken off with Ctrl-C, or left out with `--no-wait`: the change goes on by itself.',
      'Edits of an object are made with a precondition on the version that was read, under the field manager `kubectl-lakebranch`. Where Argo CD, Flux or Helm keep the object, the plugin says so: change it there too, or they write their own over it.',
      '## Exit codes',
      exitCodeDocs(),
      '`psql` exits with the code of psql.',
      '## Which rights it takes',
      'With the rights of `get`, `list` on the kinds of lakebranch.dev one can look (`list`, `why`, `doctor`). `patch` on databasebranches is for `extend`, `reset`, `rotate`, `park` and `unpark`; `create` on pointintimerestores for `restore`; `get` on the Secret for `psql` and `env`. `doctor` lists what you lack. `orphans` needs the provider, too.',
      ...commands.map(commandDocs),
    ].join('\n\n') + '\n'
  );
}
