// The admin routes: faults, behaviour, journal. Off by default, because whoever reaches them owns the emulator.
import { z } from 'zod';
import { isErrorName } from './errors.ts';
import { federationPolicySchema } from './federation.ts';
import type { Emulator } from './emulator.ts';
import type { EmulatorResponse } from './gateway.ts';

const count = z.number().int().min(0);

const troubleSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('answer'),
    status: z.number().int().min(200).max(599),
    errorCode: z.string().optional(),
    message: z.string().optional(),
    retryAfterSeconds: count.optional(),
    body: z.string().optional(),
    contentType: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal('failAfter'), status: z.number().int().min(400).max(599).optional() }),
  z.strictObject({ kind: z.literal('loseAnswer') }),
  z.strictObject({ kind: z.literal('loseRequest') }),
  z.strictObject({ kind: z.literal('delay'), ms: count }),
]);

const faultSchema = z.strictObject({
  method: z.string().optional(),
  path: z.string().optional(),
  times: count.min(1).optional(),
  trouble: troubleSchema,
});

const variantSchema = z.strictObject({
  status: z.number().int().min(400).max(599).optional(),
  code: z.string().optional(),
  message: z.string().optional(),
});

const behaviourSchema = z.strictObject({
  clockSkewMs: z.number().int().optional(),
  initMs: count.optional(),
  operationMs: count.optional(),
  deleteMs: count.optional(),
  settleMs: count.optional(),
  operationPolls: count.optional(),
  operationsDoneAtOnce: z.boolean().optional(),
  doneBeforeReady: z.boolean().optional(),
  createFails: z.boolean().optional(),
  notFoundAfterCreateMs: count.optional(),
  deleteIgnoredDuringInit: z.boolean().optional(),
  loginRefusedMs: count.optional(),
  grantedSeconds: count.min(1).nullable().optional(),
  ttlOnUpdateCountsFrom: z.enum(['creation', 'now']).optional(),
  wholeMinuteFails: z.boolean().optional(),
  sourceTimeSnapMs: count.optional(),
  tokenScope: z.enum(['workspace', 'endpoint']).optional(),
  conflicts: z.enum(['branch', 'project', 'never']).optional(),
  pageSize: count.min(1).optional(),
  limits: z
    .strictObject({
      unarchivedBranches: count,
      branches: count,
      protectedBranches: count,
      projects: count,
      databases: count,
      expirationSeconds: count,
    })
    .partial()
    .optional(),
  variants: z.record(z.string().refine(isErrorName), variantSchema).optional(),
});

export interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/**
 * - `GET /admin/behaviour`; `PATCH` changes parts of it
 * - `POST /admin/faults` adds a fault; `DELETE` takes all away and restores the behaviour of the start
 * - `GET /admin/federation-policies`; `PUT` replaces all that were set here
 * - `GET /admin/log`, `GET /admin/branches`, `GET /admin/requests`
 */
export async function answerAdmin(emulator: Emulator, request: AdminRequest): Promise<EmulatorResponse> {
  await emulator.started;
  const { faults, admin } = emulator;
  try {
    switch (`${request.method} ${request.path}`) {
      case 'GET /admin/behaviour':
        return json(200, faults.behaviour);
      case 'PATCH /admin/behaviour':
        faults.set(behaviourSchema.parse(JSON.parse(request.body)));
        return json(200, faults.behaviour);
      case 'POST /admin/faults':
        faults.inject(faultSchema.parse(JSON.parse(request.body)));
        return json(200, {});
      case 'DELETE /admin/faults':
        faults.clear();
        return json(200, faults.behaviour);
      case 'GET /admin/log':
        return json(200, admin.log());
      case 'GET /admin/branches':
        return json(200, admin.branches());
      case 'GET /admin/requests':
        return json(200, admin.requests());
      case 'GET /admin/federation-policies':
        return json(200, admin.federationPolicies());
      case 'PUT /admin/federation-policies':
        admin.setFederationPolicies(z.array(federationPolicySchema).parse(JSON.parse(request.body)));
        return json(200, admin.federationPolicies());
      default:
        return json(404, { error: `there is no ${request.method} ${request.path}` });
    }
  } catch (error) {
    return json(400, { error: error instanceof z.ZodError ? z.prettifyError(error) : String(error) });
  }
}

const json = (status: number, body: unknown): EmulatorResponse => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
