import { EngineError } from '../../errors/index.ts';
import { type JsonObject, parseJsonObject } from '../../oci/index.ts';
import type { HttpResponse } from './http.ts';
import { networkError } from './network-error.ts';

const longestJson = 4 << 20;

/** A whole small body. Rejects with `invalidArgument` over `maxBytes`. */
export async function readBody(
  response: HttpResponse,
  what: string,
  maxBytes = longestJson,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body) {
      size += (chunk as Buffer).length;
      if (size > maxBytes) throw new EngineError('invalidArgument', `${what} is over ${maxBytes} bytes`);
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw networkError(error, { method: 'GET', url: response.url });
  }
  return Buffer.concat(chunks);
}

export async function readJson(response: HttpResponse, what: string): Promise<JsonObject> {
  return parseJsonObject(await readBody(response, what), what);
}

/** Reads what nobody needs, so that the connection can be used again. */
export async function discard({ body }: HttpResponse): Promise<void> {
  try {
    let size = 0;
    for await (const chunk of body) {
      size += (chunk as Buffer).length;
      if (size > longestJson) break;
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}
