import { EngineError, isCode } from '../errors/index.ts';
import {
  familiarString,
  isDigest,
  type Platform,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../oci/index.ts';
import { assertPlatform } from './assert-platform.ts';
import type { ImageRow, ImageRows } from './image-rows.ts';

export interface ResolvedImage {
  readonly image: ImageRow;
  /** The stored reference that found it; absent when it was found by id. */
  readonly reference?: Reference;
}

const wholeId = /^[0-9a-f]{64}$/;
const idPrefix = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/**
 * Finds an image by id, then reference (default tag latest), then id prefix. 64 hex digits are always an id.
 * `notFound` in Docker's words, also for an ambiguous prefix, and where there are platforms for an image of another;
 * `invalidArgument` for what can be neither.
 */
export function resolveImage(
  rows: ImageRows,
  text: string,
  platforms: readonly Platform[] = [],
): ResolvedImage {
  const found = findImage(rows, text);
  assertPlatform(found.image.config, text, platforms);
  return found;
}

function findImage(rows: ImageRows, text: string): ResolvedImage {
  const id = wholeId.test(text) ? `sha256:${text}` : text;
  if (isDigest(id)) {
    const image = rows.get(id);
    if (image === undefined) throw new EngineError('notFound', `No such image: ${text}`);
    return { image };
  }
  const reference = parse(text);
  const found = reference === undefined ? undefined : byReference(rows, reference);
  if (found !== undefined) return found;
  const prefix = idPrefix.exec(text)?.[1];
  const matches = prefix === undefined ? [] : rows.byPrefix(prefix);
  const [image, other] = matches;
  if (other !== undefined) {
    throw new EngineError(
      'notFound',
      `ambiguous reference: multiple images found with provided prefix: ${text}`,
    );
  }
  if (image !== undefined) return { image };
  throw noSuchImage(text, reference);
}

/** A reference as it is stored: a digest beats a tag, and none of both is the tag latest. */
export function storedForm(reference: Reference): Reference {
  if (reference.digest === undefined || reference.tag === undefined) return withDefaultTag(reference);
  const { domain, path, digest } = reference;
  return { domain, path, digest };
}

function byReference(rows: ImageRows, named: Reference): ResolvedImage | undefined {
  const reference = storedForm(named);
  const id = rows.byReference(reference);
  const image = id === undefined ? undefined : rows.get(id);
  return image === undefined ? undefined : { image, reference };
}

/** `sha256:abc` is no id yet and, with this tag, a name nobody means; anything else that is no name throws. */
function parse(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    if (isCode(error, 'invalidArgument') && idPrefix.test(text)) return undefined;
    throw error;
  }
}

function noSuchImage(text: string, reference: Reference | undefined): EngineError {
  const name = reference === undefined ? text : familiarString(storedForm(reference));
  return new EngineError('notFound', `No such image: ${name}`);
}
