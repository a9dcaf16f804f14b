import { EngineError, messageOf } from '../errors/index.ts';

/**
 * Opens a URL of a client's choice. Rejects in Docker's words: `unavailable` when nobody answers, `invalidArgument`
 * when the answer is no success.
 */
export async function httpGet(url: string, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    signal.throwIfAborted();
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new EngineError('unavailable', `Get "${url}": ${messageOf(cause)}`, { cause: error });
  }
  if (response.ok) return response;
  await response.body?.cancel();
  throw new EngineError(
    'invalidArgument',
    `failed to GET ${url} with status ${response.status} ${response.statusText}`,
  );
}
