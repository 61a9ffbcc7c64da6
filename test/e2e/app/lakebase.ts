// Logs in to production as the platform team does: with the service principal that owns the project.

interface Endpoint {
  readonly name: string;
  readonly status: { readonly hosts: { readonly host: string } };
}

export interface ProductionLogin {
  readonly host: string;
  readonly user: string;
  readonly password: string;
}

export async function productionLogin(env: Readonly<Record<string, string | undefined>>): Promise<ProductionLogin> {
  const { LAKEBASE_URL: url = '', CLIENT_ID: id = '', CLIENT_SECRET: secret = '' } = env;
  const branch = 'projects/shop/branches/production';
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope: 'all-apis' });
  const { access_token: token } = await ask<{ access_token: string }>(`${url}/oidc/v1/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: form,
  });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const { endpoints } = await ask<{ endpoints: readonly Endpoint[] }>(`${url}/api/2.0/postgres/${branch}/endpoints`, {
    headers,
  });
  const [endpoint] = endpoints;
  if (!endpoint) throw new Error('production has no endpoint');
  const credential = await ask<{ token: string }>(`${url}/api/2.0/postgres/credentials`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ endpoint: endpoint.name }),
  });
  return { host: endpoint.status.hosts.host, user: id, password: credential.token };
}

async function ask<T>(url: string, init: RequestInit): Promise<T> {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${init.method ?? 'GET'} ${url}: ${response.status}`);
  return (await response.json()) as T;
}
