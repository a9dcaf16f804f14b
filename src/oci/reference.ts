import { EngineError } from '../errors/index.ts';
import { type Digest, isDigest } from './digest.ts';

/** A normalized reference: `docker.io/library/busybox:latest`. [distribution/reference] */
export interface Reference {
  /** Registry host with optional port. */
  readonly domain: string;
  /** Repository inside the registry, `library/busybox`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** What the grammar alone says of a reference: `busybox` has no domain yet. */
export type StrictReference = Omit<Reference, 'domain'> & { readonly domain?: string };

/** Registry of a reference that names none. */
export const defaultDomain = 'docker.io';
const legacyDomain = 'index.docker.io';
const officialPrefix = 'library/';
const defaultTag = 'latest';
const longestPath = 255;

const label = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domainPattern = `(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const component = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*';
const tagPattern = '[\\w][\\w.-]{0,127}';
const digestPattern = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const grammar = new RegExp(
  `^(?:(${domainPattern})/)?(${component}(?:/${component})*)(?::(${tagPattern}))?(?:@(${digestPattern}))?$`,
);
const wholeId = /^[0-9a-f]{64}$/;

/**
 * Parses by the grammar `[domain/]path[:tag][@digest]`, adding nothing.
 * Throws `invalidArgument` with Docker's text.
 */
export function parseStrictReference(text: string): StrictReference {
  const match = grammar.exec(text);
  if (match === null) {
    if (text === '') throw invalid('repository name must have at least one component');
    if (grammar.test(text.toLowerCase())) throw invalid('repository name must be lowercase');
    throw invalid();
  }
  const [, domain, path, tag, digest] = match;
  if (path === undefined) throw invalid();
  if (path.length > longestPath) {
    throw new EngineError(
      'invalidArgument',
      `repository name must not be more than ${longestPath} characters`,
    );
  }
  if (digest !== undefined && !isDigest(digest)) {
    const algorithm = digest.slice(0, digest.indexOf(':'));
    throw invalid(algorithm === 'sha256' ? 'invalid checksum digest length' : 'unsupported digest algorithm');
  }
  return {
    ...(domain === undefined ? {} : { domain }),
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/**
 * Parses what people write: `busybox` is `docker.io/library/busybox`. No tag is added; see `withDefaultTag`.
 * Throws `invalidArgument` with Docker's text; 64 hex digits are an id, never a name.
 */
export function parseReference(text: string): Reference {
  if (wholeId.test(text)) {
    throw new EngineError(
      'invalidArgument',
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  }
  const { domain, rest } = splitDomain(text);
  const name = rest.split(':', 1)[0] ?? '';
  if (name !== name.toLowerCase()) throw invalid(`repository name (${name}) must be lowercase`);
  const parsed = parseStrictReference(`${domain}/${rest}`);
  // The grammar may see no domain in `-x/y`; what splitDomain took must be what it takes.
  if (parsed.domain === undefined) throw invalid();
  return { ...parsed, domain: parsed.domain };
}

/** A reference with neither tag nor digest gets the tag `latest`. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: defaultTag };
}

/** `docker.io/library/busybox`. */
export function canonicalName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The whole reference: `docker.io/library/busybox:latest`. */
export function canonicalString(reference: Reference): string {
  return canonicalName(reference) + suffix(reference);
}

/** The repository as people write it: `busybox`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== defaultDomain) return canonicalName(reference);
  const short = reference.path.startsWith(officialPrefix)
    ? reference.path.slice(officialPrefix.length)
    : reference.path;
  return short.includes('/') ? reference.path : short;
}

/** The whole reference as people write it: `busybox:latest`. */
export function familiarString(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

function splitDomain(text: string): { domain: string; rest: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isDomain = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  let domain = isDomain ? first : defaultDomain;
  let rest = isDomain ? text.slice(slash + 1) : text;
  if (domain === legacyDomain) domain = defaultDomain;
  if (domain === defaultDomain && !rest.includes('/')) rest = officialPrefix + rest;
  return { domain, rest };
}

function invalid(detail?: string): EngineError {
  const text = 'invalid reference format';
  return new EngineError('invalidArgument', detail === undefined ? text : `${text}: ${detail}`);
}
