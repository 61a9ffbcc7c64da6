// What must hold of every step, said a second time and without a look at how it is decided.
import type { Branch, Endpoint } from '../../src/lakebase/model.ts';
import { parseBranchId } from '../../src/lakebase/ids.ts';
import { mayComeFrom } from '../../src/controllers/database-branch/wish.ts';
import type { BranchView, World } from '../../src/controllers/database-branch/world.ts';
import type { Plan } from '../../src/controllers/database-branch/plan.ts';
import { idOf, tokens } from './draws.ts';

export const isGone = (branch: Branch): boolean => branch.state === 'DELETED' || branch.deleteTime !== undefined;

const tag = parseBranchId(idOf(tokens[0]))?.tag;
export const carriesTag = ({ id }: { readonly id: string }): boolean => parseBranchId(id)?.tag === tag;

/** Everything that this pass saw of the object's branches, and that was there. */
export function seenThere({ served, wanted, family }: World): Branch[] {
  const relatives = family.seen === 'present' ? family.value.branches : [];
  const views = [served, wanted, ...relatives].filter((view): view is BranchView => view !== undefined);
  return views.flatMap(({ branch }) => (branch.seen === 'present' && !isGone(branch.value) ? [branch.value] : []));
}

/** As DNS compares them. */
const plain = (host: string): string => host.toLowerCase().replace(/\.$/, '');
const sharesHost = ({ host }: Endpoint, other: string): boolean => host !== undefined && plain(host) === plain(other);

/** What speaks against writing the login of `binding` into the Secret; nothing does when the proof is whole. */
export function objections({ world, plan }: { world: World; plan: Extract<Plan, { do: 'issue' }> }): string[] {
  const { binding } = plan;
  const { wish, username, served } = world;
  const view = [served, world.wanted].find((one) => one?.id === binding.branchId);
  const { branch, endpoint, sourceEndpoints } = view ?? {};
  if (!wish || !view || branch?.seen !== 'present' || endpoint?.seen !== 'present')
    return ['branch or endpoint unseen'];
  if (sourceEndpoints?.seen !== 'present') return ['the endpoints of the source were not seen'];
  const [b, e] = [branch.value, endpoint.value];
  const wasServed =
    view === served || (world.object.status?.superseded ?? []).some(({ uid }) => uid !== undefined && uid === view.uid);
  const clauses: Readonly<Record<string, boolean>> = {
    'the id carries the tag': carriesTag({ id: binding.branchId }),
    'the uid was on record before': view.uid !== undefined && view.uid !== '' && b.uid === view.uid,
    'the binding names this branch': binding.branchUid === b.uid && binding.branchId === b.id,
    'the project is the class’s': b.project === wish.project && e.project === wish.project,
    'it is neither default nor protected': !b.isDefault && !b.isProtected,
    'it is there and ready': b.state === 'READY' && !isGone(b),
    'it has a parent, and not itself': b.sourceBranch !== undefined && b.sourceBranch !== b.id,
    'the parent is one that was asked for': wasServed || mayComeFrom(wish, b.sourceBranch),
    'the endpoint is the branch’s': e.branch === b.id && e.type === 'READ_WRITE',
    'the binding names this endpoint': binding.endpointUid === e.uid && e.uid !== '' && binding.host === e.host,
    'the host is one': plain(binding.host) !== '',
    'no endpoint of the source has the host': !sourceEndpoints.value.some((other) => sharesHost(other, binding.host)),
    'no endpoint of the source is the endpoint': !sourceEndpoints.value.some(({ uid }) => uid === e.uid),
    'the login is the class’s': binding.username === username && username !== '',
  };
  return Object.entries(clauses).flatMap(([clause, holds]) => (holds ? [] : [`not so: ${clause}`]));
}

/** It has another tag; or the id of a branch that was served and another uid: it is not the object's. */
export function isStranger({ served, object: { status } }: World, branch: Branch): boolean {
  const onRecord = [served, status?.branch, ...(status?.superseded ?? [])];
  if (!carriesTag(branch)) return true;
  return onRecord.some((known) => known?.uid !== undefined && known.id === branch.id && known.uid !== branch.uid);
}
