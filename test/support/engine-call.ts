import assert from 'node:assert/strict';
import { request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** The daemon went before it had answered. */
export class Gone extends Error {}

/** One call of the Engine API over a `unix://` host; a Buffer as body is an archive. Rejects with `Gone`. */
export function callEngine(host: string, call: EngineCall): Promise<Answer> {
  const { method, path, body, api = '1.50' } = call;
  const isJson = body !== undefined && !Buffer.isBuffer(body);
  const type = isJson ? 'application/json' : 'application/x-tar';
  const options = {
    socketPath: host.slice('unix://'.length),
    method,
    path: `/v${api}${path}`,
    headers: body === undefined ? {} : { 'Content-Type': type },
  };
  return new Promise((resolve, reject) => {
    const gone = () => {
      reject(new Gone(`${method} ${path}`));
    };
    const sent = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', gone);
      response.on('close', () => {
        if (response.complete) resolve({ status: response.statusCode ?? 0, body: text });
        else gone();
      });
    });
    sent.on('error', gone);
    sent.end(isJson ? JSON.stringify(body) : body);
  });
}

export interface EngineCall {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  /** Version of the API; default 1.50. */
  readonly api?: string;
}

export async function getJson<T>(host: string, path: string): Promise<T> {
  const { status, body } = await callEngine(host, { method: 'GET', path });
  assert.equal(status, 200, `${path}: ${body}`);
  return JSON.parse(body) as T;
}
