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
/** Each group may appear once in a mode. */
const modeGroups: readonly (readonly string[])[] = [['ro', 'rw'], ['z', 'Z'], ['nocopy'], propagations];

/** `/host:/container:ro,z`, `name:/container`, `/container`. Throws `invalidArgument` with Docker's texts. */
export function parseBind(text: string): BindSpec {
  const parts = text.split(':');
  if (parts.length > 3 || parts.includes('')) throw invalid(text);
  const [first = '', second, third] = parts;
  if (second !== undefined && third === undefined && isMode(second)) throw invalid(text);
  const target = second ?? first;
  const mode = third ?? '';
  if (third !== undefined && !isMode(third))
    throw new EngineError('invalidArgument', `invalid mode: ${third}`);
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

function isMode(text: string): boolean {
  const seen = text.split(',').map((word) => modeGroups.findIndex((group) => group.includes(word)));
  return !seen.includes(-1) && new Set(seen).size === seen.length;
}

function invalid(text: string, reason?: string): EngineError {
  const detail = reason === undefined ? '' : `: ${reason}`;
  return new EngineError('invalidArgument', `invalid volume specification: '${text}'${detail}`);
}
