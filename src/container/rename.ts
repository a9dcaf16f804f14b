import { EngineError } from '../errors/index.ts';
import type { Networks } from '../network/index.ts';
import type { Container } from './record.ts';
import type { ContainerStore } from './store.ts';

/**
 * Gives a container another name, by which others on its networks find it from then on. The caller holds its lock.
 * Throws Docker's texts.
 */
export function renameContainer(
  { record, state }: Container,
  name: string,
  { store, networks }: { readonly store: ContainerStore; readonly networks: Pick<Networks, 'rename'> },
): void {
  if (name === record.name) {
    throw new EngineError('invalidArgument', 'Renaming a container with the same name as its current name');
  }
  store.assertNameFree(name);
  const { connection } = state;
  const request = {
    containerId: record.id,
    containerName: name.slice(1),
    hostname: record.config.Hostname,
  };
  const renamed = connection === undefined ? {} : { connection: networks.rename(request, connection) };
  store.save(
    { record: { ...record, name }, state: { ...state, ...renamed } },
    { action: 'rename', attributes: { oldName: record.name } },
  );
}
