import type { FastifyRequest } from 'fastify';
import { type Filters, parseFilters } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { type Platform, parsePlatform } from '../oci/index.ts';

const falseWords: ReadonlySet<string> = new Set(['', '0', 'no', 'false', 'none']);

/** A request's query parameters by Docker's rules. Every reader throws `invalidArgument` for what it cannot read. */
export class Query {
  readonly #values: Readonly<Record<string, string | readonly string[]>>;

  constructor(values: Readonly<Record<string, string | readonly string[]>>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  /** The first value, '' when absent. */
  text(name: string): string {
    return this.list(name)[0] ?? '';
  }

  /** `undefined` when absent or empty. */
  optional(name: string): string | undefined {
    return this.text(name) || undefined;
  }

  /** Each value of a parameter that may be repeated. */
  list(name: string): readonly string[] {
    const value = this.#values[name];
    if (value === undefined) return [];
    return typeof value === 'string' ? [value] : value;
  }

  /** '', 0, no, false and none are false, all else is true. */
  flag(name: string, absent = false): boolean {
    if (!this.has(name)) return absent;
    return !falseWords.has(this.text(name).trim().toLowerCase());
  }

  /** `undefined` when absent or empty. */
  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
      throw new EngineError(
        'invalidArgument',
        `invalid value for ${name}: ${JSON.stringify(text)} is no integer`,
      );
    }
    return Number(text);
  }

  /** Unix seconds with an optional fraction, as nanoseconds; `undefined` when absent or empty. */
  time(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    const [, sign, seconds, fraction = ''] = /^(-?)(\d{1,11})(?:\.(\d{0,9})\d*)?$/.exec(text) ?? [];
    if (seconds === undefined) {
      throw new EngineError(
        'invalidArgument',
        `invalid value for ${name}: ${JSON.stringify(text)} is no unix time`,
      );
    }
    const nano = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
    return sign === '-' ? -nano : nano;
  }

  /** JSON of the kind the caller expects; `undefined` when absent or empty. */
  json(name: string): unknown {
    const text = this.text(name);
    if (text === '') return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new EngineError('invalidArgument', `invalid JSON in ${name}: ${text}`, { cause: error });
    }
  }

  filters(accepted: readonly string[]): Filters {
    return parseFilters(this.text('filters'), accepted);
  }

  /** Each as JSON of an OCI platform, how clients send it from API 1.48 on, or in words. */
  platforms(name = 'platform'): Platform[] {
    return this.list(name).flatMap((text) => {
      if (text === '') return [];
      if (!text.startsWith('{')) return parsePlatform(text);
      const { os, architecture, variant } = new Query({ [name]: text }).json(name) as Record<string, unknown>;
      if (typeof os !== 'string' || typeof architecture !== 'string') {
        throw new EngineError('invalidArgument', `${JSON.stringify(text)}: invalid platform`);
      }
      return { os, architecture, ...(typeof variant === 'string' ? { variant } : {}) };
    });
  }

  /** In words; `undefined` when absent or empty. */
  platform(name = 'platform'): Platform | undefined {
    const text = this.text(name);
    return text === '' ? undefined : parsePlatform(text);
  }
}

export function queryOf(request: FastifyRequest): Query {
  return new Query(request.query as Readonly<Record<string, string | readonly string[]>>);
}

/** `repo` and `tag` parameters as one reference; `undefined` without a repository. */
export function referenceOf(query: Query): string | undefined {
  const repository = query.text('repo');
  const tag = query.text('tag');
  if (repository === '') return undefined;
  if (tag === '') return repository;
  return tag.includes(':') ? `${repository}@${tag}` : `${repository}:${tag}`;
}
