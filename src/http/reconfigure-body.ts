import type { ReconfigureRequest } from '../api/index.ts';
import { mounts, portMap, set } from './container-kinds.ts';
import { type Fields, labels, readFields, type StructKind, strings } from './json-fields.ts';

const reconfigure: StructKind = {
  struct: 'Reconfigure',
  fields: {
    Env: strings,
    Labels: labels,
    PortBindings: portMap,
    Binds: strings,
    Mounts: mounts,
    Volumes: set,
    Remove: {
      struct: 'Reconfigure.Remove',
      fields: { Env: strings, Labels: strings, Ports: strings, Mounts: strings },
    },
  },
};

/** Checks the body of a reconfiguration, as that of a create is. Throws `invalidArgument`. */
export function toReconfigureRequest(body: Fields): ReconfigureRequest {
  return readFields(body, reconfigure);
}
