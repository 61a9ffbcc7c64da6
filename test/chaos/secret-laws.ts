// What must hold for every version of every Secret that an operator wrote.
import { annotationKey, databaseBranchResource, managedByLabel } from '../../src/api/names.ts';
import { renewTime } from '../../src/credentials/plan.ts';
import { readSecret, type IssuedSecret, type Secret, type SecretSeen } from '../../src/credentials/secret.ts';
import { parseBranchId } from '../../src/lakebase/ids.ts';
import type { Version } from './history.ts';
import type { Identities } from './laws.ts';
import type { Ledger } from './ledger.ts';

const text = (secret: Secret, key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();

export const isOurs = ({ metadata }: Secret): boolean => metadata.labels?.[managedByLabel.key] === managedByLabel.value;

const ownerOf = ({ metadata }: Secret): { uid: string; name: string } | undefined =>
  metadata.ownerReferences?.find(({ controller, kind }) => controller && kind === databaseBranchResource.kind);

/** A Secret as its owner reads it; undefined without an owner. */
export function seenByOwner(secret: Secret): SecretSeen | undefined {
  const owner = ownerOf(secret);
  const { namespace = '' } = secret.metadata;
  return owner && readSecret(secret, { namespace, ...owner });
}

export function judgeSecret(version: Version, ledger: Ledger, identities: Identities): string[] {
  const secret = version.object as Secret | undefined;
  if (!secret || !isOurs(secret) || ledger.isTampered(secret)) return [];
  const where = `Secret ${version.key} at revision ${version.revision}`;
  const wrong = [...untruths(secret, ledger, identities), ...hasty(version)];
  return wrong.map((what) => `${where}: ${what}`);
}

/** It opens the branch of its object and nothing else. */
function untruths(secret: Secret, ledger: Ledger, { loginNames }: Identities): string[] {
  const owner = ownerOf(secret);
  if (!owner) return ['it has no owner'];
  const record = ledger.objects.get(owner.uid);
  const host = text(secret, 'host');
  const [branch, ...more] = ledger.atHost(host);
  if (!branch || more.length > 0) return [`${more.length + (branch ? 1 : 0)} branches have its host ${host}`];
  const { annotations = {} } = secret.metadata;
  const endpointUid = Object.keys(branch.hosts).find((uid) => branch.hosts[uid] === host);
  const token = claimsOf(text(secret, 'password'));
  const username = text(secret, 'username');
  const facts: readonly (readonly [boolean, string])[] = [
    [parseBranchId(branch.id)?.tag === record?.tag, `it opens ${branch.id}, which is not of its owner ${owner.name}`],
    [annotations[annotationKey.branchUid] === branch.uid, 'it names another branch uid than that of its host'],
    [annotations[annotationKey.endpointUid] === endpointUid, 'it names another endpoint uid than that of its host'],
    [token.endpoint === endpointUid, `its token was minted for endpoint ${token.endpoint}, its host is ${host}`],
    [token.sub === username, `its token is of ${token.sub}, its user ${username}`],
    [loginNames.includes(username), `its user ${username} is not a login of a class`],
    [text(secret, 'uri').includes(`@${host}:`), 'its uri has another host'],
    [text(secret, 'uri').includes(encodeURIComponent(text(secret, 'password'))), 'its uri has another token'],
    [text(secret, 'jdbc-uri').includes(`//${host}:`), 'its jdbc-uri has another host'],
  ];
  return facts.filter(([holds]) => !holds).map(([, what]) => what);
}

interface Claims {
  readonly endpoint?: string;
  readonly sub?: string;
}

/** Of a token that the emulator made; read without asking for its signature. */
function claimsOf(token: string): Claims {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims;
  } catch {
    return {};
  }
}

/** The clocks are told to the second. */
const toleranceMs = 1500;

/** A good token is replaced when it is due, when somebody asks for it, or when what it opens has changed. */
function hasty({ object, before }: Version): string[] {
  const [last, next] = [before, object].map((each) => each && seenByOwner(each as Secret));
  if (last?.is !== 'ours' || next?.is !== 'ours') return [];
  const [old, young] = [last.secret, next.secret];
  if (old.token.reveal() === young.token.reveal() || hasReason(old, young)) return [];
  const owner = ownerOf(object as Secret)?.uid ?? '';
  const due = renewTime(old, owner);
  if (young.issueTime.getTime() >= due.getTime() - toleranceMs) return [];
  return [`its token was replaced at ${young.issueTime.toISOString()}, it was due at ${due.toISOString()}`];
}

const hasReason = (old: IssuedSecret, young: IssuedSecret): boolean =>
  old.rotateTokenHash !== young.rotateTokenHash ||
  old.binding.branchUid !== young.binding.branchUid ||
  old.binding.endpointUid !== young.binding.endpointUid ||
  old.binding.host !== young.binding.host ||
  old.binding.username !== young.binding.username;
