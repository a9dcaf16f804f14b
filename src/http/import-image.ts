import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ProgressMessage } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { HttpGet } from '../lib/http-get.ts';
import { readingBody } from './body.ts';
import type { RouteContext } from './context.ts';
import { queryOf, referenceOf } from './query.ts';
import { sendProgress } from './streams.ts';

const progressMs = 100;

/** `POST /images/create?fromSrc=`: an image of one layer, from the body (`-`) or from a URL. */
export async function importImage(
  { engine, calls }: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const query = queryOf(request);
  const source = query.text('fromSrc');
  if (source === '') throw new EngineError('invalidArgument', 'one of fromImage and fromSrc is needed');
  const reference = referenceOf(query);
  const platform = query.platform();
  const message = query.optional('message') ?? `Imported from ${source}`;
  const signal = calls.signalOf(request, reply);
  const options = {
    changes: query.list('changes'),
    message,
    ...(reference === undefined ? {} : { reference }),
    ...(platform === undefined ? {} : { platform }),
  };
  await sendProgress(reply, async (onProgress) => {
    const importTar = async (tar: Readable) => {
      const image = await engine.images.importRootfs(tar, options, signal);
      onProgress({ status: image.id });
    };
    if (source === '-') await readingBody(request, importTar);
    else await importTar(await download(urlOf(source), { httpGet: engine.httpGet, onProgress, signal }));
  });
}

/** Without a scheme it is HTTP, as Docker has it. */
function urlOf(source: string): string {
  const url = source.includes('://') ? source : `http://${source}`;
  if (!URL.canParse(url))
    throw new EngineError('invalidArgument', `parse ${JSON.stringify(url)}: invalid URL`);
  return url;
}

async function download(
  url: string,
  {
    httpGet,
    onProgress,
    signal,
  }: {
    readonly httpGet: HttpGet;
    readonly onProgress: (message: ProgressMessage) => void;
    readonly signal: AbortSignal;
  },
): Promise<Readable> {
  const response = await httpGet(url, signal);
  onProgress({ status: `Downloading from ${url}` });
  const total = Number(response.headers.get('content-length') ?? 0);
  return Readable.from(counted(response.body, total, onProgress), { objectMode: false });
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  total: number,
  onProgress: (message: ProgressMessage) => void,
): AsyncGenerator<Uint8Array> {
  let current = 0;
  let told = 0;
  for await (const chunk of body) {
    yield chunk;
    current += chunk.length;
    if (performance.now() - told < progressMs) continue;
    told = performance.now();
    onProgress({ status: 'Importing', progressDetail: { current, ...(total > 0 ? { total } : {}) } });
  }
}
