import { posix } from 'node:path';
import { EngineError } from '../errors/index.ts';

/** One `-v` of a container: a host path to bind, or a volume (anonymous without a source). */
export type BindSpec =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly destination: string;
      readonly readOnly: boolean;
      /** The mode as it was given, `ro,z`. */
      readonly mode: string;
      readonly propagation: string;
    }
  | {
      readonly type: 'volume';
      readonly source?: string;
      readonly destination: string;
      readonly readOnly: boolean;
      readonly mode: string;
      readonly noCopy: boolean;
    };

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
type ModeGroups = readonly (readonly string[])[];
/** Each group may appear once in a mode. The last one is for hosts whose containers run in a virtual machine. */
const fromGroups: ModeGroups = [
  ['ro', 'rw'],
  ['z', 'Z'],
  ['consistent', 'cached', 'delegated'],
];
const bindGroups: ModeGroups = [...fromGroups, ['nocopy'], propagations];

/** `/host:/container:ro,z`, `name:/container`, `/container`. Throws `invalidArgument` with Docker's texts. */
export function parseBind(text: string): BindSpec {
  const parts = text.split(':');
  if (parts.length > 3 || parts.includes('')) throw invalid(text);
  const [first = '', second, third] = parts;
  if (second !== undefined && third === undefined && isMode(second, bindGroups)) throw invalid(text);
  const target = second ?? first;
  const mode = third ?? '';
  if (third !== undefined) assertMode(third, bindGroups);
  const destination = posix.normalize(target).replace(/(.)\/$/, '$1');
  if (!posix.isAbsolute(target)) {
    throw invalid(text, `invalid mount path: '${target}' mount path must be absolute`);
  }
  if (destination === '/') throw invalid(text, "invalid specification: destination can't be '/'");
  const words = mode.split(',');
  const readOnly = words.includes('ro');
  const propagation = words.find((word) => propagations.includes(word));
  if (second !== undefined && posix.isAbsolute(first)) {
    const source = posix.normalize(first).replace(/(.)\/$/, '$1');
    return { type: 'bind', source, destination, readOnly, mode, propagation: propagation ?? 'rprivate' };
  }
  // Only a bind has a propagation.
  if (propagation !== undefined) throw invalid(text);
  const noCopy = words.includes('nocopy');
  const named = second === undefined ? {} : { source: first };
  return { type: 'volume', ...named, destination, readOnly, mode, noCopy };
}

/** One `--volumes-from`. */
export interface VolumesFrom {
  readonly container: string;
  readonly mode: string;
  readonly readOnly: boolean;
}

/** `container`, `container:ro,z`. Throws `invalidArgument` with Docker's texts. */
export function parseVolumesFrom(text: string): VolumesFrom {
  const [container = '', ...rest] = text.split(':');
  if (container === '') {
    throw new EngineError('invalidArgument', `malformed volumes-from specification: ${text}`);
  }
  const mode = rest.join(':') || 'rw';
  assertMode(mode, fromGroups);
  return { container, mode, readOnly: mode.split(',').includes('ro') };
}

function assertMode(text: string, groups: ModeGroups): void {
  if (!isMode(text, groups)) throw new EngineError('invalidArgument', `invalid mode: ${text}`);
}

function isMode(text: string, groups: ModeGroups): boolean {
  const seen = text.split(',').map((word) => groups.findIndex((group) => group.includes(word)));
  return !seen.includes(-1) && new Set(seen).size === seen.length;
}

function invalid(text: string, reason?: string): EngineError {
  const detail = reason === undefined ? '' : `: ${reason}`;
  return new EngineError('invalidArgument', `invalid volume specification: '${text}'${detail}`);
}
