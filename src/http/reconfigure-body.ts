import type { ReconfigureRequest } from '../api/index.ts';
import { type Fields, isObject, type Kinds, readFields, toMounts, withoutNullValues } from './create-body.ts';

const kinds: Kinds = {
  Env: 'strings',
  Labels: 'labels',
  PortBindings: 'object',
  Binds: 'strings',
  Mounts: 'array',
  Volumes: 'object',
  Remove: 'object',
};

const removeKinds: Kinds = { Env: 'strings', Labels: 'strings', Ports: 'strings', Mounts: 'strings' };

/** Checks the body of a reconfiguration, as that of a create is. Throws `invalidArgument`. */
export function toReconfigureRequest(body: Fields): ReconfigureRequest {
  const request = readFields(body, kinds, 'Reconfigure');
  for (const [set, instead] of [
    ['PortBindings', []],
    ['Volumes', {}],
  ] as const) {
    if (isObject(request[set])) request[set] = withoutNullValues(request[set], instead);
  }
  if (Array.isArray(request['Mounts'])) request['Mounts'] = toMounts(request['Mounts'], 'Reconfigure.Mounts');
  if (isObject(request['Remove']))
    request['Remove'] = readFields(request['Remove'], removeKinds, 'Reconfigure.Remove');
  return request;
}
