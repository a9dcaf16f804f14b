import type { FastifyInstance } from 'fastify';
import type { EventMessage } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { RouteContext } from '../context.ts';
import { queryOf } from '../query.ts';
import { sendLines } from '../streams.ts';

const acceptedFilters = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
];

/** The journal as a stream. */
export function eventRoutes(app: FastifyInstance, { engine, calls }: RouteContext): void {
  app.get('/events', async (request, reply) => {
    const query = queryOf(request);
    const filters = query.filters(acceptedFilters);
    const sinceNano = query.time('since');
    const untilNano = query.time('until');
    if (sinceNano !== undefined && untilNano !== undefined && untilNano < sinceNano) {
      const [since, until] = [query.text('since'), query.text('until')];
      throw new EngineError(
        'invalidArgument',
        `\`since\` time (${since}) cannot be after \`until\` time (${until})`,
      );
    }
    const signal = calls.signalOf(request, reply);
    const events = engine.system.events(
      {
        filters,
        ...(sinceNano === undefined ? {} : { sinceNano }),
        ...(untilNano === undefined ? {} : { untilNano }),
      },
      signal,
    );
    await sendLines(reply, forClient(events, request.api), signal);
  });
}

/**
 * Every version served here is older than 1.52, which dropped `status`, `id` and `from`. That an image was made is told
 * from 1.46 on.
 */
async function* forClient(events: AsyncIterable<EventMessage>, api: number): AsyncGenerator<object> {
  for await (const event of events) {
    if (api < 46 && event.Type === 'image' && event.Action === 'create') continue;
    yield { ...legacyFields(event), ...event };
  }
}

function legacyFields({ Type, Action, Actor }: EventMessage): object {
  switch (Type) {
    case 'container':
      return { status: Action, id: Actor.ID, from: Actor.Attributes['image'] };
    case 'image':
      return { status: Action, id: Actor.ID };
    default:
      return {};
  }
}
