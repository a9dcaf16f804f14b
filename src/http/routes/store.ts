import type { FastifyInstance } from 'fastify';
import { pruneKinds } from '../../api/index.ts';
import { type PrunePlanRequest, parsePlan } from '../../engine/index.ts';
import { EngineError } from '../../errors/index.ts';
import { readObject } from '../body.ts';
import type { RouteContext } from '../context.ts';
import { type Query, queryOf } from '../query.ts';
import { sendLines } from '../streams.ts';

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

  app.post('/gantry/store/check', async (request, reply) => {
    const signal = calls.signalOf(request, reply);
    await sendLines(reply, store.check({ repair: queryOf(request).flag('repair') }, signal), signal);
  });

  app.post('/gantry/prune/plan', async (request) => store.prunePlans.plan(planRequest(queryOf(request))));

  app.post('/gantry/prune/apply', async (request) => {
    const id = queryOf(request).optional('plan');
    return store.prunePlans.apply(id ?? parsePlan(await readObject(request)));
  });
}

const filterKeys = ['label', 'label!', 'until'];

function planRequest(query: Query): PrunePlanRequest {
  const kinds = query.list('kind');
  const unknown = kinds.find((kind) => !pruneKinds.some((known) => known === kind));
  if (unknown !== undefined) throw new EngineError('invalidArgument', `unknown object type: ${unknown}`);
  const usual = pruneKinds.filter((kind) => kind !== 'volume');
  return {
    kinds: new Set(kinds.length === 0 ? usual : pruneKinds.filter((kind) => kinds.includes(kind))),
    all: query.flag('all'),
    namedVolumes: query.flag('named-volumes'),
    filters: query.filters(filterKeys),
  };
}

function required(query: Query, name: string): string {
  const text = query.text(name);
  if (text === '') throw new EngineError('invalidArgument', `bad parameter: ${name} cannot be empty`);
  return text;
}
