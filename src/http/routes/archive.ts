import type { FastifyInstance } from 'fastify';
import type { PathStat } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { readingBody } from '../body.ts';
import type { IdParams, RouteContext } from '../context.ts';
import { type Query, queryOf } from '../query.ts';
import { sendBytes } from '../streams.ts';

/** Files into and out of containers. */
export function archiveRoutes(app: FastifyInstance, { engine }: RouteContext): void {
  const { containers } = engine;

  app.head<IdParams>('/containers/:id/archive', async (request, reply) => {
    const stat = await containers.statPath(request.params.id, pathOf(queryOf(request)));
    return reply.header('X-Docker-Container-Path-Stat', encodeStat(stat)).code(200).send();
  });

  app.get<IdParams>('/containers/:id/archive', async (request, reply) => {
    const { stat, tar } = await containers.getArchive(request.params.id, pathOf(queryOf(request)));
    await sendBytes(reply, tar, {
      'Content-Type': 'application/x-tar',
      'X-Docker-Container-Path-Stat': encodeStat(stat),
    });
  });

  app.put<IdParams>('/containers/:id/archive', async (request) => {
    const query = queryOf(request);
    const path = pathOf(query);
    const options = {
      noOverwriteDirNonDir: query.flag('noOverwriteDirNonDir'),
      copyUidGid: query.flag('copyUIDGID'),
    };
    await readingBody(request, (tar) => containers.putArchive(request.params.id, path, tar, options));
    return '';
  });

  app.get<IdParams>('/containers/:id/export', async (request, reply) => {
    const tar = await containers.export(request.params.id);
    await sendBytes(reply, tar, { 'Content-Type': 'application/octet-stream' });
  });
}

function pathOf(query: Query): string {
  const path = query.text('path');
  if (path === '') throw new EngineError('invalidArgument', 'bad parameter: path cannot be empty');
  return path;
}

function encodeStat(stat: PathStat): string {
  return Buffer.from(JSON.stringify(stat)).toString('base64');
}
