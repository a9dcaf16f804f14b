import type { Filters } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { Images } from '../image/index.ts';
import { hasLabel } from '../lib/object-filters.ts';
import type { ListOptions } from './containers.ts';
import { type Container, statusOf } from './record.ts';
import type { ContainerStore } from './store.ts';
import { endpointsView } from './views.ts';

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const healths = ['none', 'starting', 'healthy', 'unhealthy'];

/** Containers as `docker ps` picks them, newest first. [moby daemon/list.go] */
export function select(store: ContainerStore, images: Images, options: ListOptions): Container[] {
  const { filters } = options;
  assertKnown(filters, 'status', statuses);
  assertKnown(filters, 'health', healths);
  const all = options.all || filters.has('status') || filters.has('exited') || options.limit !== undefined;
  const matches = store
    .all()
    .sort((a, b) => Date.parse(b.record.created) - Date.parse(a.record.created))
    .filter(matcher(store, images, filters))
    .filter((container) => all || container.state.running);
  return options.limit === undefined || options.limit <= 0 ? matches : matches.slice(0, options.limit);
}

function matcher(store: ContainerStore, images: Images, filters: Filters): (container: Container) => boolean {
  const tests = [...filters].map(([key, values]) => testOf(key, values, { store, images }));
  return (container) => tests.every((test) => test(container));
}

interface Context {
  readonly store: ContainerStore;
  readonly images: Images;
}

type Test = (container: Container) => boolean;

function testOf(key: string, values: readonly string[], context: Context): Test {
  const any = (matches: (container: Container, value: string) => boolean): Test => {
    return (container) => values.some((value) => matches(container, value));
  };
  switch (key) {
    case 'id':
      return any(({ record }, value) => record.id.startsWith(value));
    case 'name':
      return any(({ record }, value) => matchesName(record.name, value));
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
        record.mounts.some((m) => m.Name === value || m.Destination === value),
      );
    case 'network':
      return any((container, value) =>
        Object.entries(endpointsView(container)).some(([name, e]) => name === value || e.NetworkID === value),
      );
    case 'publish':
      return any((container, value) => hasPort(value, publishedKeys(container)));
    case 'expose':
      return any(({ record }, value) => hasPort(value, Object.keys(record.config.ExposedPorts ?? {})));
    case 'is-task':
      return any((_container, value) => value === 'false' || value === '0');
    default:
      return () => true;
  }
}

/** Docker takes the value as a regular expression, or as the name itself. */
function matchesName(name: string, value: string): boolean {
  if (name === value || name.slice(1) === value) return true;
  try {
    const pattern = new RegExp(value);
    return pattern.test(name) || pattern.test(name.slice(1));
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
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
function ancestorOf(values: readonly string[], images: Images): Test {
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

function relativeTo(key: 'before' | 'since', values: readonly string[], store: ContainerStore): Test {
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

/** `80`, `80/udp` or `80-90/tcp` against keys like `80/tcp`. */
function hasPort(wanted: string, keys: readonly string[]): boolean {
  const [range = '', type = 'tcp'] = wanted.split('/');
  const [first, last] = range.split('-').map(Number);
  return keys.some((key) => {
    const [port, keyType] = key.split('/');
    return keyType === type && Number(port) >= (first ?? 0) && Number(port) <= (last ?? first ?? 0);
  });
}

function assertKnown(filters: Filters, key: string, known: readonly string[]): void {
  for (const value of filters.get(key) ?? []) {
    if (!known.includes(value)) throw new EngineError('invalidArgument', `invalid filter '${key}=${value}'`);
  }
}
