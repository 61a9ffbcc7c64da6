// list: every branch of a namespace, with what matters.
import { rowOf } from '../branch.ts';
import { listBranches } from '../cluster.ts';
import { ExitCode, type Command } from '../command.ts';
import { allNamespaces, output } from '../parse.ts';
import { reportList } from '../report-list.ts';
import { printJson } from '../terminal.ts';

export const list: Command = {
  name: 'list',
  usage: '',
  summary: 'Show all branches: ready or why not, source, how long branch and token live.',
  description: [
    'Shows the DatabaseBranches of the namespace. Those that are not ready are told of once more below the table, with what the operator says.',
    'TOKEN is how long the token in the Secret lives; it is replaced at about half of its life. A time with a star is ended by the operator only: without it the branch stays.',
  ],
  examples: [
    ['list', 'in the namespace of the kubeconfig'],
    ['list -A', 'in all namespaces'],
    ['list -A -o json', 'for a script'],
  ],
  flags: [allNamespaces, output],
  args: [0, 0],
  completes: 'nothing',
  json: '`{"kind": "BranchList", "items": [...]}`. Each item has `namespace`, `name`, `className`, `ready` (`True`, `False`, `Unknown`), `reason`, `message`, `paused` (`no`, `changes`, `all`), `deleting`, `resetting`, `createTime`, `secretName`, and where they are known `source`, `sourceTime`, `branchId`, `host`, `expireTime`, `leaseTime`, `enforcedBy`, `tokenExpireTime`, `queuePosition`.',
  async run({ invocation, terminal, cluster: open }) {
    const cluster = await open();
    const rows = (await listBranches(cluster, cluster.scope)).map(rowOf);
    if (invocation.json) printJson(terminal, { kind: 'BranchList', items: rows });
    else if (rows.length === 0)
      terminal.note(
        cluster.scope === undefined
          ? 'There is no DatabaseBranch in the cluster.'
          : `There is no DatabaseBranch in namespace ${cluster.scope}. -A looks in all namespaces.`,
      );
    else terminal.out(reportList(rows, terminal.clock.now(), cluster.scope === undefined));
    return ExitCode.done;
  },
};
