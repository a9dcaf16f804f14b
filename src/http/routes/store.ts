import type { FastifyInstance } from 'fastify';
import { EngineError } from '../../errors/index.ts';
import type { RouteContext } from '../context.ts';
import { type Query, queryOf } from '../query.ts';

/** Gantry's own routes about the store, under a prefix that Docker does not use. docs/store.md describes them. */
export function storeRoutes(app: FastifyInstance, { engine, calls }: RouteContext): void {
  const { images, store } = engine;

  app.get('/gantry/images/layers', async (request, reply) => {
    const query = queryOf(request);
    const signal = calls.signalOf(request, reply);
    return images.layers(required(query, 'image'), { changes: query.flag('changes'), signal });
  });

  app.get('/gantry/images/diff', async (request, reply) => {
    const query = queryOf(request);
    const names = { from: required(query, 'from'), to: required(query, 'to') };
    return store.diff(names, calls.signalOf(request, reply));
  });
}

function required(query: Query, name: string): string {
  const text = query.text(name);
  if (text === '') throw new EngineError('invalidArgument', `bad parameter: ${name} cannot be empty`);
  return text;
}
