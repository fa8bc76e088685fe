/** Requests to nodes by address, with the Host header that a visitor's browser would send. */
import { type Agent, request } from 'node:http';

export interface Answer {
  status: number;
  /** `X-Silver-Release`, or empty. */
  release: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export interface AskOptions {
  address: string;
  host: string;
  path?: string;
  method?: string;
  body?: string;
  headers?: Record<string, string>;
  /** Milliseconds. */
  timeout?: number;
  agent?: Agent;
}

/** One request; rejects when no complete answer comes. */
export function ask({ address, host, path = '/', method = 'GET', body, headers, timeout = 10_000, agent }: AskOptions) {
  return new Promise<Answer>((resolve, reject) => {
    const all = {
      Host: host,
      ...headers,
      ...(body === undefined ? {} : { 'Content-Length': `${Buffer.byteLength(body)}` }),
    };
    const req = request(
      { host: address, port: 80, path, method, headers: all, agent: agent ?? false, timeout },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          const release = res.headers['x-silver-release'];
          resolve({
            status: res.statusCode ?? 0,
            release: typeof release === 'string' ? release : '',
            headers: res.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          });
        });
      },
    );
    req.on('timeout', () => req.destroy(new Error(`no answer from ${address} within ${timeout} ms`)));
    req.on('error', reject);
    req.end(body);
  });
}
