import type { Filters } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { Images } from '../image/index.ts';
import { hasLabel, matchesPattern } from '../lib/object-filters.ts';
import type { ListOptions } from './containers.ts';
import { type Container, statusOf } from './record.ts';
import type { ContainerStore } from './store.ts';
import { endpointsView, type NetworkIds } from './views.ts';

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
/** Nothing passes these when they have no values; the others then let everything pass. */
const strictFilters = ['ancestor', 'network', 'volume'];
const healths = ['none', 'starting', 'healthy', 'unhealthy'];

export interface SelectContext {
  readonly store: Pick<ContainerStore, 'all' | 'resolve'>;
  readonly images: Pick<Images, 'resolve'>;
  readonly networkIds: NetworkIds;
}

/** Containers as `docker ps` picks them, newest first. [moby daemon/list.go] */
export function select(context: SelectContext, options: ListOptions): Container[] {
  const { store } = context;
  const filters = new Map(
    [...options.filters].filter(([key, values]) => values.length > 0 || strictFilters.includes(key)),
  );
  assertKnown(filters, 'status', statuses);
  assertKnown(filters, 'health', healths);
  const all = options.all || filters.has('status') || filters.has('exited') || options.limit !== undefined;
  const matches = store
    .all()
    .sort((a, b) => Date.parse(b.record.created) - Date.parse(a.record.created))
    .filter(matcher(filters, context))
    .filter((container) => all || container.state.running);
  return options.limit === undefined || options.limit <= 0 ? matches : matches.slice(0, options.limit);
}

function matcher(filters: Filters, context: SelectContext): (container: Container) => boolean {
  const tests = [...filters].map(([key, values]) => testOf(key, values, context));
  return (container) => tests.every((test) => test(container));
}

type Test = (container: Container) => boolean;

function testOf(key: string, values: readonly string[], context: SelectContext): Test {
  const any = (matches: (container: Container, value: string) => boolean): Test => {
    return (container) => values.some((value) => matches(container, value));
  };
  switch (key) {
    case 'id':
      return any(({ record }, value) => record.id.startsWith(value));
    case 'name':
      return any(
        ({ record: { name } }, value) => matchesPattern(name, value) || matchesPattern(name.slice(1), value),
      );
    case 'label':
      return ({ record }) => values.every((value) => hasLabel(record.config.Labels, value));
    case 'status':
      return any(({ state }, value) => statusOf(state) === value);
    case 'exited':
      return exitedWith(values);
    case 'health':
      return any(({ state }, value) => (state.health?.Status ?? 'none') === value);
    case 'ancestor':
      return ancestorOf(values, context.images);
    case 'before':
    case 'since':
      return relativeTo(key, values, context.store);
    case 'volume':
      return any(({ record }, value) =>
        record.mounts.some((m) => (m.Name ?? m.Source) === value || m.Destination === value),
      );
    case 'network':
      return any((container, value) =>
        Object.entries(endpointsView(container, context.networkIds)).some(
          ([name, { NetworkID }]) => name === value || NetworkID.startsWith(value),
        ),
      );
    case 'publish':
      return portTest(key, values, publishedKeys);
    case 'expose':
      return portTest(key, values, ({ record }) => Object.keys(record.config.ExposedPorts ?? {}));
    case 'is-task':
      return any((_container, value) => value === 'false' || value === '0');
    default:
      return () => true;
  }
}

function exitedWith(values: readonly string[]): Test {
  const codes = values.map((value) => {
    if (!/^-?\d+$/.test(value)) throw new EngineError('invalidArgument', `invalid filter 'exited=${value}'`);
    return Number(value);
  });
  return ({ state }) => !state.running && statusOf(state) !== 'created' && codes.includes(state.exitCode);
}

/** Containers of an image, or of one that was built on it. */
function ancestorOf(values: readonly string[], images: SelectContext['images']): Test {
  const ids = new Set<string>();
  for (const value of values) {
    try {
      const { id } = images.resolve(value);
      ids.add(id);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
  }
  const descends = (imageId: string): boolean => {
    for (let id: string | undefined = imageId; id !== undefined; ) {
      if (ids.has(id)) return true;
      try {
        id = images.resolve(id).parent;
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        return false;
      }
    }
    return false;
  };
  return ({ record }) => descends(record.imageId);
}

function relativeTo(key: 'before' | 'since', values: readonly string[], store: SelectContext['store']): Test {
  const times = values.map((value) => Date.parse(store.resolve(value).record.created));
  return ({ record }) => {
    const created = Date.parse(record.created);
    return times.every((time) => (key === 'before' ? created < time : created > time));
  };
}

function publishedKeys({ record, state }: Container): string[] {
  const ports = state.connection?.ports ?? record.hostConfig.PortBindings;
  return Object.entries(ports).flatMap(([key, bindings]) => {
    const type = key.split('/')[1] ?? 'tcp';
    return (bindings ?? []).map((binding) => `${binding.HostPort}/${type}`);
  });
}

/** A container with one of the ports. */
function portTest(key: string, values: readonly string[], keysOf: (container: Container) => string[]): Test {
  const ranges = values.map((value) => portRange(key, value));
  return (container) => {
    const ports = keysOf(container).map((name) => name.split('/'));
    return ranges.some(({ first, last, type }) =>
      ports.some(([port, own]) => own === type && Number(port) >= first && Number(port) <= last),
    );
  };
}

/** Of `80`, `80/udp` or `80-90/tcp`. Throws with Docker's words. */
function portRange(
  key: string,
  value: string,
): { readonly first: number; readonly last: number; readonly type: string } {
  const fail = (reason: string) => new EngineError('invalidArgument', reason);
  if (value.includes(':')) throw fail(`filter for '${key}' should not contain ':': ${value}`);
  const wrong = (reason: string) => fail(`error while looking up for ${key} ${value}: ${reason}`);
  const [range = '', type] = value.split('/');
  if (range === '') throw wrong('empty string specified for ports');
  const [first = 0, last = first] = range.split('-').map((port) => {
    const parsing = `strconv.ParseUint: parsing ${JSON.stringify(port)}`;
    if (!/^\d+$/.test(port)) throw wrong(`${parsing}: invalid syntax`);
    if (Number(port) > 65_535) throw wrong(`${parsing}: value out of range`);
    return Number(port);
  });
  if (last < first) throw wrong(`invalid range specified for port: ${range}`);
  return { first, last, type: type || 'tcp' };
}

function assertKnown(filters: Filters, key: string, known: readonly string[]): void {
  for (const value of filters.get(key) ?? []) {
    if (!known.includes(value)) throw new EngineError('invalidArgument', `invalid filter '${key}=${value}'`);
  }
}
