// Endpoints (computes): every branch has `primary`; others are read-only.
import { z } from 'zod';
import { endpointOf, flag, ok, parse, requiredId, specOf, type Answer, type Call } from '../call.ts';
import { newEndpoint } from '../creation.ts';
import { Refusal } from '../errors.ts';
import { changedSizes, sizesFields } from '../fields.ts';
import { endpointMask, maskedBody } from '../masks.ts';
import { page } from '../pages.ts';
import { childName, entry, type EndpointGroup, type EndpointRecord, type EndpointSizes } from '../state.ts';
import { endpointView } from '../views.ts';
import { placeOf, type Place } from './in-branch.ts';
import { apiPrefix, type Route } from './route.ts';
import type { Json } from '../masks.ts';

const collection = `${apiPrefix}/projects/{project}/branches/{branch}/endpoints`;

export const endpointRoutes: readonly Route[] = [
  { method: 'POST', path: collection, handle: create },
  { method: 'GET', path: collection, handle: list },
  { method: 'GET', path: `${collection}/{endpoint}`, handle: get },
  { method: 'PATCH', path: `${collection}/{endpoint}`, handle: update },
  { method: 'DELETE', path: `${collection}/{endpoint}`, handle: remove },
];

export const groupFields = z.object({
  min: z.number().int().min(1).optional(),
  max: z.number().int().min(1).optional(),
  enable_readable_secondaries: z.boolean().optional(),
});

const changeSchema = z.object({
  ...sizesFields,
  disabled: z.boolean().optional(),
  group: groupFields.optional(),
  settings: z.object({ pg_settings: z.record(z.string(), z.string()).optional() }).optional(),
});

const createSchema = changeSchema.extend({
  endpoint_type: z.enum(['ENDPOINT_TYPE_READ_WRITE', 'ENDPOINT_TYPE_READ_ONLY']),
});

type Change = z.infer<typeof changeSchema>;

async function create(call: Call): Promise<Answer> {
  const { workspace } = call;
  const place = placeOf(call, 'CAN_MANAGE');
  const id = requiredId(call, 'endpoint_id');
  const input = parse(createSchema, specOf(call.body));
  const existing = entry(place.branch.endpoints, id);
  if (existing && flag(call, 'replace_existing')) return change(call, place, existing, input);
  if (existing) throw new Refusal('endpointExists');
  if (input.endpoint_type === 'ENDPOINT_TYPE_READ_WRITE') throw new Refusal('readWriteExists');

  const { pgSettings, ...defaults } = place.project.endpointDefaults;
  const endpoint = newEndpoint(workspace, {
    id,
    type: input.endpoint_type,
    sizes: changedSizes(defaults, input, 'spec'),
    disabled: input.disabled,
    group: input.group && groupOf(undefined, input.group),
    pgSettings: input.settings?.pg_settings ?? pgSettings,
  });
  return start(call, place, endpoint, async () => {
    place.branch.endpoints[id] = endpoint;
    note(call, 'endpoint.create', place, endpoint);
    await workspace.lifecycle.pause(workspace.faults.behaviour.operationMs);
    await workspace.lifecycle.inTurn(place.branch.uid, () => workspace.lifecycle.openEndpoint(place.branch, endpoint));
  });
}

const loneCompute: EndpointGroup = { min: 1, max: 1, enableReadableSecondaries: false };

/** A group of computes; a lone compute has none. */
export function groupOf(current: EndpointGroup | undefined, input: z.infer<typeof groupFields>): EndpointGroup {
  const before = current ?? loneCompute;
  const min = input.min ?? before.min;
  const max = input.max ?? (current ? before.max : min);
  if (min !== max) {
    throw new Refusal('invalidField', { field: 'spec.group.max', problem: 'must be equal to spec.group.min' });
  }
  return { min, max, enableReadableSecondaries: input.enable_readable_secondaries ?? before.enableReadableSecondaries };
}

function list(call: Call): Answer {
  const { project, branch } = placeOf(call);
  return page(call, 'endpoints', Object.values(branch.endpoints), (endpoint) =>
    view(call, { project, branch }, endpoint),
  );
}

function get(call: Call): Answer {
  const place = placeOf(call);
  return ok(view(call, place, endpointOf(call, place.branch)));
}

function update(call: Call): Promise<Answer> {
  const place = placeOf(call, 'CAN_MANAGE');
  const endpoint = endpointOf(call, place.branch);
  const masked = maskedBody(endpointMask, call.query.get('update_mask') ?? undefined, call.body);
  return change(call, place, endpoint, parse(changeSchema, specOf(masked)));
}

function change(call: Call, place: Place, endpoint: EndpointRecord, input: Change): Promise<Answer> {
  const { workspace } = call;
  refuseWhileSettling(call, endpoint);
  const sizes = changedSizes(endpoint, input, 'spec');
  const next: Partial<EndpointRecord> = {
    ...sizes,
    disabled: input.disabled ?? endpoint.disabled,
    group: input.group ? groupOf(endpoint.group, input.group) : endpoint.group,
    pgSettings: input.settings?.pg_settings ?? endpoint.pgSettings,
  };
  const restarts = needsRestart(endpoint, next);
  return start(call, place, endpoint, async () => {
    await workspace.lifecycle.pause(workspace.faults.behaviour.operationMs);
    // First, so that whoever is cut off by the restart does not get in again.
    if (input.disabled) endpoint.disabled = true;
    await workspace.lifecycle.inTurn(place.branch.uid, () => applySizes(call, endpoint, sizes, restarts));
    const now = workspace.now();
    const settlesAt = now + workspace.faults.behaviour.settleMs;
    Object.assign(endpoint, next, { updatedAt: now, settlesAt });
    note(call, 'endpoint.update', place, endpoint);
  });
}

async function applySizes(
  call: Call,
  endpoint: EndpointRecord,
  sizes: EndpointSizes,
  restarts: boolean,
): Promise<void> {
  const { dataPlane } = call.workspace;
  if (sizes.suspendSeconds !== endpoint.suspendSeconds) await dataPlane.setSuspend(endpoint.uid, sizes.suspendSeconds);
  if (restarts) await dataPlane.restartEndpoint(endpoint.uid);
}

/** A change of the suspend time alone does not end any session. */
function needsRestart(endpoint: EndpointRecord, next: Partial<EndpointRecord>): boolean {
  const shape = (of: Partial<EndpointRecord>): string =>
    JSON.stringify([of.minCU, of.maxCU, of.disabled, of.group, of.pgSettings]);
  return shape(endpoint) !== shape(next);
}

function refuseWhileSettling(call: Call, endpoint: EndpointRecord): void {
  if (endpoint.settlesAt !== undefined && endpoint.settlesAt > call.workspace.now()) throw new Refusal('reconciling');
}

async function remove(call: Call): Promise<Answer> {
  const { workspace } = call;
  const place = placeOf(call, 'CAN_MANAGE');
  const { project, branch } = place;
  const endpoint = endpointOf(call, branch);
  const name = childName(project.id, branch.id, 'endpoints', endpoint.id);
  if (endpoint.type === 'ENDPOINT_TYPE_READ_WRITE') throw new Refusal('readWriteEndpoint', { name });
  refuseWhileSettling(call, endpoint);
  return start(
    call,
    place,
    endpoint,
    async () => {
      await workspace.lifecycle.pause(workspace.faults.behaviour.deleteMs);
      await workspace.dataPlane.closeEndpoint(endpoint.uid);
      delete branch.endpoints[endpoint.id];
      note(call, 'endpoint.delete', place, endpoint);
    },
    'deletes',
  );
}

async function start(
  call: Call,
  place: Place,
  endpoint: EndpointRecord,
  work: () => Promise<void>,
  how: 'changes' | 'deletes' = 'changes',
): Promise<Answer> {
  const { operations } = call.workspace;
  const operation = operations.start({
    resource: childName(place.project.id, place.branch.id, 'endpoints', endpoint.id),
    kind: 'Endpoint',
    projectId: place.project.id,
    branchUid: place.branch.uid,
    exclusive: true,
    run: async () => {
      await work();
      return how === 'deletes' ? undefined : view(call, place, endpoint);
    },
  });
  return ok(await operations.answer(operation));
}

const view = ({ workspace }: Call, { project, branch }: Place, endpoint: EndpointRecord): Json =>
  endpointView(project.id, branch.id, endpoint, workspace.dataPlane, workspace.now());

function note({ workspace, principal }: Call, what: string, place: Place, endpoint: EndpointRecord): void {
  const name = childName(place.project.id, place.branch.id, 'endpoints', endpoint.id);
  workspace.journal.note(workspace.now(), { what, name, uid: endpoint.uid, by: principal.name });
}
