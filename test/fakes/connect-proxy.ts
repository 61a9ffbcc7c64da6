// A forward proxy on loopback that knows CONNECT and nothing else.
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface ConnectProxy extends AsyncDisposable {
  readonly url: string;
  /** What was asked for, as `host:port`, with the credentials that came along. */
  readonly tunnels: { readonly target: string; readonly authorization: string | undefined }[];
  /** 200 lets through, any other status refuses; undefined never answers. */
  verdict: number | undefined;
}

export async function startConnectProxy(): Promise<ConnectProxy> {
  const open = new Set<Socket>();
  const keep = (socket: Socket): void =>
    void open.add(socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket)));
  const server = createServer((_, response) => void response.writeHead(405).end());
  server.on('connection', keep);
  server.on('connect', ({ url = '', headers }: IncomingMessage, client: Socket) => {
    proxy.tunnels.push({ target: url, authorization: headers['proxy-authorization'] });
    if (proxy.verdict === undefined) return;
    if (proxy.verdict !== 200) return void client.end(`HTTP/1.1 ${proxy.verdict} No\r\ncontent-length: 0\r\n\r\n`);
    const { hostname, port } = new URL(`http://${url}`);
    const upstream = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    keep(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: ConnectProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels: [],
    verdict: 200,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
  return proxy;
}
