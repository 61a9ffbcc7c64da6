// doctor: is everything there that is needed, from the rights of the person to a login?
import { ExitCode, type Command } from '../command.ts';
import { examine } from '../examine.ts';
import { allNamespaces, operatorNamespace, output } from '../parse.ts';
import { reportChecks, worstOf } from '../report-doctor.ts';
import { printJson } from '../terminal.ts';

export const doctor: Command = {
  name: 'doctor',
  usage: '',
  summary: 'Check rights, CRDs, operator, classes, provider, Secrets and logins.',
  description: [
    'Goes through everything that a login rests on and says of each part whether it is well, and what to do if it is not. It changes nothing.',
    'The provider is asked with your credentials if the environment has them (see "orphans"), or with those of the class if you may read them; otherwise only whether its host answers. Each DatabaseBranch of the namespace is logged in to once, which wakes a sleeping endpoint; --no-login leaves that out.',
    'Exits with 3 if something is wrong.',
  ],
  examples: [
    ['doctor', 'as seen from the namespace of the kubeconfig'],
    ['doctor -A --no-login', 'everything, without waking endpoints'],
  ],
  flags: [allNamespaces, { name: 'no-login', help: 'Do not log in to the databases.' }, operatorNamespace, output],
  args: [0, 0],
  completes: 'nothing',
  json: '`{"kind": "Diagnosis", "verdict", "checks": [...]}`. Each check has `part`, `name`, `verdict` (`ok`, `warning`, `wrong`, `unknown`) and `message`; `verdict` at the top is the worst of them.',
  async run({ invocation, terminal, cluster: open }) {
    const checks = await examine(await open(), invocation, terminal);
    const verdict = worstOf(checks);
    if (invocation.json) printJson(terminal, { kind: 'Diagnosis', verdict, checks });
    else terminal.out(reportChecks(checks));
    return verdict === 'wrong' ? ExitCode.found : ExitCode.done;
  },
};
