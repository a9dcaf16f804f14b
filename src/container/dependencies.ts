import { EngineError } from '../errors/index.ts';
import { legacyLinks } from './links.ts';
import type { ContainerRecord } from './record.ts';
import { joinedContainer } from './spec/index.ts';
import type { ContainerStore } from './store.ts';
import { isRestarting } from './transitions.ts';

type Lookup = Pick<ContainerStore, 'get' | 'resolve'>;

/** The ids of the containers that must run when this one starts; it is the start that tells of one that is not there. */
export function neededContainers(record: ContainerRecord, store: Lookup): string[] {
  const { NetworkMode, PidMode, IpcMode } = record.hostConfig;
  const joined = [NetworkMode, PidMode, IpcMode].flatMap((mode) => joinedContainer(mode) ?? []);
  const linked = legacyLinks(record, store).map(({ container }) => container);
  return [...joined, ...linked].flatMap((name) => {
    try {
      return store.resolve(name).record.id;
    } catch (error) {
      if (error instanceof EngineError) return [];
      throw error;
    }
  });
}

/** The process whose namespace another container joins; `conflict` with Docker's texts when there is none. */
export function pidToJoin(name: string, store: Lookup, what: 'network' | 'namespace'): number {
  const container = store.resolve(name);
  const { record, state } = container;
  if (!state.running) {
    throw new EngineError('conflict', `cannot join ${what} of a non running container: ${record.id}`);
  }
  if (state.restarting) throw isRestarting(container);
  return state.pid;
}

/** The container whose network another one has: its own, or that of whom it joins, who may have joined a further one. */
export function networkOwner(record: ContainerRecord, store: Lookup): ContainerRecord {
  let owner = record;
  for (const seen = new Set<string>(); !seen.has(owner.id); ) {
    const joined = joinedContainer(owner.hostConfig.NetworkMode);
    if (joined === undefined) break;
    seen.add(owner.id);
    owner = store.resolve(joined).record;
  }
  return owner;
}
