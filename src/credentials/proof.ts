// The proof before the first write: a connection is handed out only to the branch this object made. Pure, fails closed.
import type { Branch, Endpoint } from '../lakebase/model.ts';

/** What a login in a Secret was proved to lead to. Rotation copies it; any change of it needs a new proof and a new login. */
export interface Binding {
  readonly branchId: string;
  readonly branchUid: string;
  readonly endpointUid: string;
  readonly host: string;
  readonly username: string;
}

export interface ProofRequest {
  /** The uid that this object recorded before it asked. */
  readonly recordedUid: string;
  readonly project: string;
  /** The id of the source branch. */
  readonly source: string;
  readonly username: string;
  /** Fresh GETs of this pass. */
  readonly branch: Branch;
  readonly endpoint: Endpoint;
  readonly sourceEndpoints: readonly Endpoint[];
}

export type Proof =
  { readonly proved: true; readonly binding: Binding } | { readonly proved: false; readonly why: string };

/** Every clause must hold; the first that does not is the reason. A source that could not be read must not get here. */
export function prove(request: ProofRequest): Proof {
  const { branch, endpoint, recordedUid, project, source, username } = request;
  const host = endpoint.host ?? '';
  const refusals: readonly (readonly [boolean, string])[] = [
    [
      branch.uid !== recordedUid || recordedUid === '',
      `branch ${branch.id} has uid ${branch.uid}, recorded was ${recordedUid}`,
    ],
    [branch.project !== project, `branch ${branch.id} belongs to project ${branch.project}, not ${project}`],
    [branch.isDefault, `branch ${branch.id} is the default branch of the project`],
    [branch.isProtected, `branch ${branch.id} is protected`],
    [branch.sourceBranch === undefined, `branch ${branch.id} is a root branch`],
    [branch.id === source, `branch ${branch.id} is the source itself`],
    [branch.sourceBranch !== source, `branch ${branch.id} was made from ${branch.sourceBranch}, not from ${source}`],
    [endpoint.project !== project, `endpoint ${endpoint.uid} belongs to project ${endpoint.project}, not ${project}`],
    [endpoint.branch !== branch.id, `endpoint ${endpoint.uid} belongs to branch ${endpoint.branch}, not ${branch.id}`],
    [endpoint.type !== 'READ_WRITE', `endpoint ${endpoint.uid} is not the read-write endpoint`],
    [endpoint.uid === '' || username === '', 'the endpoint has no uid or the login has no name'],
    [plainHost(host) === '', `endpoint ${endpoint.uid} has no host`],
    [
      request.sourceEndpoints.some((other) => sameHost(other.host, host) || other.uid === endpoint.uid),
      `endpoint ${endpoint.uid} is one of ${source}, or has the host of one`,
    ],
  ];
  const refusal = refusals.find(([refused]) => refused);
  if (refusal) return { proved: false, why: refusal[1] };
  return {
    proved: true,
    binding: { branchId: branch.id, branchUid: branch.uid, endpointUid: endpoint.uid, host, username },
  };
}

// Host names are compared as DNS does: without case and without the root dot.
const plainHost = (host: string): string => host.toLowerCase().replace(/\.$/, '');
const sameHost = (a: string | undefined, b: string): boolean => a !== undefined && plainHost(a) === plainHost(b);
