// How a client finds the token endpoint and gets an access token for the management API: by OAuth client credentials, or
// by token exchange (RFC 8693) for a token that a federation policy accepts.
import { NotFederated, verified } from './federation.ts';
import { findByName, findServicePrincipal, type Principal } from './principals.ts';
import { newUuid } from './random.ts';
import type { Answer } from './call.ts';
import type { Json } from './masks.ts';
import type { Workspace } from './workspace.ts';

/** Documents name the address that the client itself used. `origin` is like `http://127.0.0.1:8080`. */
export function databricksConfig(workspace: Workspace, origin: string): Json {
  const { workspaceId, accountId } = workspace.state;
  return { oidc_endpoint: `${origin}/oidc`, workspace_id: workspaceId, account_id: accountId, host_type: 'workspace' };
}

const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwtType = 'urn:ietf:params:oauth:token-type:jwt';

export const authorizationServer = (origin: string): Json => ({
  issuer: `${origin}/oidc`,
  authorization_endpoint: `${origin}/oidc/v1/authorize`,
  token_endpoint: `${origin}/oidc/v1/token`,
  grant_types_supported: ['client_credentials', tokenExchange],
  token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  scopes_supported: ['all-apis', 'postgres'],
});

/** `form` is the body; client id and secret come in a Basic header, or in the form. */
export async function issueAccessToken(
  workspace: Workspace,
  form: URLSearchParams,
  authorization: string | undefined,
): Promise<Answer> {
  const grant = form.get('grant_type');
  if (grant === null) return oauthError(400, 'invalid_request', 'grant_type is required');
  if (grant === tokenExchange) return exchangeToken(workspace, form);
  if (grant !== 'client_credentials') {
    return oauthError(400, 'unsupported_grant_type', `grant_type ${grant} is not supported`);
  }
  const { id, secret } = basicCredentials(authorization) ?? {
    id: form.get('client_id') ?? '',
    secret: form.get('client_secret') ?? '',
  };
  const principal = findServicePrincipal(workspace.settings.principals, id, secret);
  if (!principal) return oauthError(401, 'invalid_client', 'Client authentication failed');
  return granted(workspace, principal, form, workspace.settings.accessTokenSeconds);
}

/** The words of the service for refusals are not known; the codes are those of RFC 8693. */
async function exchangeToken(workspace: Workspace, form: URLSearchParams): Promise<Answer> {
  const [clientId, subjectToken] = [form.get('client_id'), form.get('subject_token')];
  if (!subjectToken) return oauthError(400, 'invalid_request', 'subject_token is required');
  if (form.get('subject_token_type') !== jwtType)
    return oauthError(400, 'invalid_request', `subject_token_type must be ${jwtType}`);
  if (!clientId) return oauthError(400, 'invalid_request', 'client_id is required: there is no account-wide policy');
  const { settings, state, journal } = workspace;
  const principal = findByName(settings.principals, clientId);
  if (principal?.kind !== 'SERVICE_PRINCIPAL') return oauthError(401, 'invalid_client', 'Client authentication failed');
  const policies = [...settings.federationPolicies, ...(state.federationPolicies ?? [])].filter(
    ({ service_principal: name }) => name === principal.name,
  );
  const now = workspace.now();
  try {
    const claims = await verified(subjectToken, { policies, accountId: state.accountId, now: new Date(now) });
    journal.note(now, { what: 'token.exchange', name: String(claims.sub), by: principal.name });
    const seconds = Math.floor((claims.exp ?? 0) - now / 1000);
    return await granted(workspace, principal, form, Math.min(settings.accessTokenSeconds, seconds));
  } catch (error) {
    if (!(error instanceof NotFederated)) throw error;
    journal.note(now, { what: 'token.refused', name: principal.name, why: error.message });
    return oauthError(400, 'invalid_request', error.message);
  }
}

async function granted(
  workspace: Workspace,
  principal: Principal,
  form: URLSearchParams,
  seconds: number,
): Promise<Answer> {
  const now = workspace.now();
  const claims = { use: 'workspace', identity: principal.name, expiresAt: now + seconds * 1000 } as const;
  return {
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: {
      access_token: await workspace.tokens.sign(claims, now, newUuid(workspace.random)),
      token_type: 'Bearer',
      scope: form.get('scope') ?? 'all-apis',
      expires_in: seconds,
    },
  };
}

const oauthError = (status: number, error: string, description: string): Answer => ({
  status,
  headers: { 'cache-control': 'no-store' },
  body: { error, error_description: description },
});

/** Both halves are form-encoded before they are joined (RFC 6749 2.3.1); what carries no % is taken as it is. */
function basicCredentials(authorization: string | undefined): { id: string; secret: string } | undefined {
  const match = /^Basic +([A-Za-z0-9+/=_-]+)$/i.exec(authorization ?? '');
  if (!match?.[1]) return undefined;
  const text = Buffer.from(match[1], 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { id: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
