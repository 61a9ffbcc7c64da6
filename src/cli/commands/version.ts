// version: of the plugin, and of what it talks to.
import { apiVersion } from '../../api/names.ts';
import { version as ownVersion } from '../../version.ts';
import { ExitCode, type Command } from '../command.ts';
import { operatorNamespaceOf, operatorSettings } from '../operator.ts';
import { operatorNamespace, output } from '../parse.ts';
import { printJson } from '../terminal.ts';

export const version: Command = {
  name: 'version',
  usage: '',
  summary: 'Show the version of the plugin and of the operator.',
  description: ['The operator is read off its Deployment, where that can be found and read; --client does not look.'],
  examples: [['version', 'both']],
  flags: [{ name: 'client', help: 'Only of the plugin; asks no cluster.' }, operatorNamespace, output],
  args: [0, 0],
  completes: 'nothing',
  json: '`{"kind": "Version", "client", "api", "operatorImage"}`; the last only where it is known.',
  async run({ invocation, terminal, cluster }) {
    const settings = invocation.isOn('client')
      ? undefined
      : await cluster()
          .then((opened) => operatorSettings(opened, operatorNamespaceOf(invocation)))
          // The version of the plugin is an answer also where no cluster is.
          .catch(() => undefined);
    const image = settings?.image;
    if (invocation.json)
      printJson(terminal, { kind: 'Version', client: ownVersion, api: apiVersion, operatorImage: image });
    else {
      terminal.out(`kubectl-lakebranch ${ownVersion}, for lakebranch.dev/${apiVersion}`);
      if (!invocation.isOn('client'))
        terminal.out(`operator: ${image ?? 'not known (no Deployment that can be read)'}`);
    }
    return ExitCode.done;
  },
};
