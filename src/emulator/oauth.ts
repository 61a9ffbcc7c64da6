// How a client finds the token endpoint and gets an access token for the management API (OAuth client credentials).
import { findServicePrincipal } from './principals.ts';
import { newUuid } from './random.ts';
import type { Answer } from './call.ts';
import type { Json } from './masks.ts';
import type { Workspace } from './workspace.ts';

/** Documents name the address that the client itself used. `origin` is like `http://127.0.0.1:8080`. */
export function databricksConfig(workspace: Workspace, origin: string): Json {
  const { workspaceId, accountId } = workspace.state;
  return { oidc_endpoint: `${origin}/oidc`, workspace_id: workspaceId, account_id: accountId, host_type: 'workspace' };
}

export const authorizationServer = (origin: string): Json => ({
  issuer: `${origin}/oidc`,
  authorization_endpoint: `${origin}/oidc/v1/authorize`,
  token_endpoint: `${origin}/oidc/v1/token`,
  grant_types_supported: ['client_credentials'],
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
  if (grant !== 'client_credentials') {
    return oauthError(400, 'unsupported_grant_type', `grant_type ${grant} is not supported`);
  }
  const { id, secret } = basicCredentials(authorization) ?? {
    id: form.get('client_id') ?? '',
    secret: form.get('client_secret') ?? '',
  };
  const principal = findServicePrincipal(workspace.settings.principals, id, secret);
  if (!principal) return oauthError(401, 'invalid_client', 'Client authentication failed');
  const now = workspace.now();
  const seconds = workspace.settings.accessTokenSeconds;
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
