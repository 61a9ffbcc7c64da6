// One look at what the operator needs before it can work: an API server that answers, our kinds as this version knows
// them, the rights. What is lacking becomes a sentence for whoever installs it.
import * as z from 'zod';
import {
  apiGroup,
  apiVersion,
  branchClassResource,
  databaseBranchResource,
  namespaceResource,
  pointInTimeRestoreResource,
} from '../api/names.ts';
import { branchClassSchema } from '../api/v1alpha1/branch-class.ts';
import { databaseBranchSchema } from '../api/v1alpha1/database-branch.ts';
import { pointInTimeRestoreSchema } from '../api/v1alpha1/point-in-time-restore.ts';
import type { HttpKube } from '../kit/kube-http.ts';
import {
  isForbidden,
  isNotFound,
  KubeError,
  KubeUnreachable,
  type KubeObject,
  type ResourceType,
} from '../kit/kube.ts';
import { fieldsOf, missingFields, type OpenApiSchema } from './fields.ts';
import { accessesOf, inWords, ofSomeNamespaces, type Access, type Scope } from './rights.ts';

/** What is asked of the API server at the start. */
export type StartKube = Pick<HttpKube, 'getRaw' | 'create' | 'get'>;

/** Something is lacking that may come without a restart; the message says what, why and what to do. */
export class NotYet extends Error {
  override readonly name = 'NotYet';
}

const kinds = [
  { resource: databaseBranchResource, schema: databaseBranchSchema },
  { resource: branchClassResource, schema: branchClassSchema },
  { resource: pointInTimeRestoreResource, schema: pointInTimeRestoreSchema },
];

/** An API server that is there answers these at once. */
const timeoutMs = 10_000;
const applyCrds = 'apply deploy/crds.yaml of this release (with the chart: upgrade it with crds.enabled)';

export interface Sight {
  readonly clusterID: string;
  /** In a sentence: what is lacking in some of the namespaces, and does not hold up the others. */
  readonly lacks: string | undefined;
}

/** Resolves when all is there that work can begin with; throws NotYet while something is lacking. */
export async function look(kube: StartKube, scope: Scope, signal: AbortSignal): Promise<Sight> {
  try {
    await checkKinds(kube, signal);
    const lacks = await checkRights(kube, scope, signal);
    return { clusterID: scope.clusterID ?? (await uidOfKubeSystem(kube, signal)), lacks };
  } catch (error) {
    throw asNotYet(error);
  }
}

function asNotYet(error: unknown): unknown {
  if (error instanceof KubeUnreachable)
    return new NotYet(
      `the API server cannot be reached: ${error.message}. Check KUBECONFIG or the in-cluster configuration, and the network policies of the operator's namespace`,
    );
  if (!(error instanceof KubeError)) return error;
  if (error.code === 401)
    return new NotYet(
      `the API server does not accept who the operator is: ${error.message}. Check KUBECONFIG, or the ServiceAccount of the pod`,
    );
  return new NotYet(`the API server does not answer as it should: ${error.message}`);
}

const groupDocument = z.object({ versions: z.array(z.object({ version: z.string() })) });
const versionDocument = z.object({ resources: z.array(z.object({ name: z.string() })) });

async function checkKinds(kube: StartKube, signal: AbortSignal): Promise<void> {
  const path = `/apis/${apiGroup}`;
  const group = await documentAt(kube, path, groupDocument, signal);
  if (!group)
    throw new NotYet(
      `the API server does not serve ${apiGroup}: its CustomResourceDefinitions are missing; ${applyCrds}`,
    );
  const versions = group.versions.map(({ version }) => version);
  const served = await documentAt(kube, `${path}/${apiVersion}`, versionDocument, signal);
  if (!served)
    throw new NotYet(
      `the API server does not serve ${apiGroup} in version ${apiVersion}, but in ${versions.join(', ')}; ${applyCrds}`,
    );
  const names = new Set(served.resources.map(({ name }) => name));
  const missing = kinds.filter(({ resource }) => !names.has(resource.plural)).map(({ resource }) => nameOf(resource));
  if (missing.length > 0)
    throw new NotYet(`the API server does not serve ${missing.join(', ')} in version ${apiVersion}; ${applyCrds}`);
  await checkFields(kube, signal);
}

const nameOf = ({ plural, group }: ResourceType): string => `${plural}.${group}`;

const openApiDocument = z.object({ components: z.object({ schemas: z.record(z.string(), z.unknown()) }) });
const mostNamed = 5;

/** Where the document cannot be had, nothing is concluded: it only says early what would be noticed late. */
async function checkFields(kube: StartKube, signal: AbortSignal): Promise<void> {
  const path = `/openapi/v3/apis/${apiGroup}/${apiVersion}`;
  const document = await documentAt(kube, path, openApiDocument, signal).catch((error: unknown) => {
    if (isForbidden(error)) return undefined;
    throw error;
  });
  const schemas = Object.values(document?.components.schemas ?? {}) as OpenApiSchema[];
  const old = kinds.flatMap(({ resource, schema }) => {
    const described = schemas.find((one) => one['x-kubernetes-group-version-kind']?.some((it) => isKind(it, resource)));
    const missing = described ? missingFields(fieldsOf(schema), described) : [];
    const more = missing.length > mostNamed ? ` and ${missing.length - mostNamed} more` : '';
    return missing.length === 0
      ? []
      : [`the CustomResourceDefinition ${nameOf(resource)} has no ${missing.slice(0, mostNamed).join(', ')}${more}`];
  });
  if (old.length > 0) throw new NotYet(`${old.join('; ')}: it is older than this operator; ${applyCrds}`);
}

const isKind = (it: { group: string; version: string; kind: string }, resource: ResourceType): boolean =>
  it.group === resource.group && it.version === resource.version && it.kind === resource.kind;

/** Undefined if there is none. */
async function documentAt<T>(
  kube: StartKube,
  path: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    const { data } = schema.safeParse(await kube.getRaw(path, { signal, timeoutMs }));
    if (data === undefined)
      throw new NotYet(`what answers at ${path} is not a Kubernetes API server; check KUBECONFIG`);
    return data;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

const accessReviews: ResourceType = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'selfsubjectaccessreviews',
  kind: 'SelfSubjectAccessReview',
  namespaced: false,
};
const subjectReviews: ResourceType = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'selfsubjectreviews',
  kind: 'SelfSubjectReview',
  namespaced: false,
};

interface AccessReview extends KubeObject {
  readonly spec: object;
  readonly status?: { readonly allowed?: boolean };
}

interface SubjectReview extends KubeObject {
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}

/** Reviews have no name: nothing is stored. */
const nameless = { name: '' };

async function checkRights(kube: StartKube, scope: Scope, signal: AbortSignal): Promise<string | undefined> {
  const accesses = accessesOf(scope);
  const allowed = await Promise.all(accesses.map((access) => isAllowed(kube, access, signal)));
  const missing = accesses.filter((_, index) => !allowed[index]);
  if (missing.length === 0) return undefined;
  const sentence = `${await whoAmI(kube, signal)} may not ${inWords(missing)}; ${adviceFor(scope, missing)}`;
  if (ofSomeNamespaces(missing, scope).length < missing.length) throw new NotYet(sentence);
  return sentence;
}

function adviceFor({ watchNamespaces }: Scope, missing: readonly Access[]): string {
  const roles = 'apply the roles of this release (the chart, or deploy/install.yaml)';
  if (watchNamespaces.length === 0)
    return `${roles}, or set LAKEBRANCH_WATCH_NAMESPACES to the namespaces that it may see`;
  const naming = missing.some(({ name }) => name === 'kube-system') ? ', or set LAKEBRANCH_CLUSTER_ID' : '';
  return `${roles} in each of these places${naming}`;
}

async function isAllowed(kube: StartKube, access: Access, signal: AbortSignal): Promise<boolean> {
  const { group, resource: path, verb, namespace, name } = access;
  const [resource, subresource] = path.split('/');
  const resourceAttributes = { group, resource, subresource, verb, namespace, name };
  const review = { metadata: nameless, spec: { resourceAttributes } };
  const { status } = await kube.create<AccessReview>(accessReviews, review, { signal, timeoutMs });
  return status?.allowed === true;
}

async function whoAmI(kube: StartKube, signal: AbortSignal): Promise<string> {
  try {
    const { status } = await kube.create<SubjectReview>(subjectReviews, { metadata: nameless }, { signal, timeoutMs });
    return status?.userInfo?.username ?? 'the operator';
  } catch (error) {
    if (error instanceof KubeError) return 'the operator';
    throw error;
  }
}

async function uidOfKubeSystem(kube: StartKube, signal: AbortSignal): Promise<string> {
  const { metadata } = await kube.get<KubeObject>(namespaceResource, { name: 'kube-system' }, { signal, timeoutMs });
  return metadata.uid ?? '';
}
