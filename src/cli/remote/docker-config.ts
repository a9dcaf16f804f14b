import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FilterValues } from '../../client/index.ts';
import { EngineError, hasErrno, messageOf } from '../../errors/index.ts';
import { replaceFile } from '../../lib/replace-file.ts';

/** How Docker's clients write down who one is; `auth` is base64 of `user:password`. */
export interface StoredAuth {
  readonly auth?: string;
  readonly identitytoken?: string;
}

/** The proxies that containers and builds get for one daemon. */
interface ProxyConfig {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  readonly noProxy?: string;
  readonly ftpProxy?: string;
  readonly allProxy?: string;
}

/** `--format` of lists that are given none. */
interface ListFormats {
  readonly psFormat?: string;
  readonly imagesFormat?: string;
  readonly networksFormat?: string;
  readonly volumesFormat?: string;
  readonly statsFormat?: string;
}

/** The parts of Docker's `config.json` that are used here; other fields pass through unread. */
export interface DockerConfig extends ListFormats {
  /** Sent with every request to the daemon. */
  readonly HttpHeaders?: Readonly<Record<string, string>>;
  readonly detachKeys?: string;
  /** `name=value`, for every prune. */
  readonly pruneFilters?: readonly string[];
  /** By the daemon's address; `default` for any other. */
  readonly proxies?: Readonly<Record<string, ProxyConfig>>;
  readonly auths?: Readonly<Record<string, StoredAuth>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

function pathIn(directory: string): string {
  return join(directory, 'config.json');
}

/** Without a file it is empty. Throws `invalidArgument` for one that cannot be read or is no JSON object. */
export async function readDockerConfig(directory: string): Promise<DockerConfig> {
  let text: string;
  try {
    text = await readFile(pathIn(directory), 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return {};
    throw loadError(directory, error);
  }
  try {
    const parsed = JSON.parse(text) as unknown;
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
    throw new EngineError('invalidArgument', 'not an object');
  } catch (error) {
    throw loadError(directory, error);
  }
}

function loadError(directory: string, error: unknown): EngineError {
  const text = `Error loading config file: ${pathIn(directory)}: ${messageOf(error)}`;
  return new EngineError('invalidArgument', text, { cause: error });
}

/** What a list is shown in: its own `--format`, else the user's, which `-q` goes before. */
export function listFormat(
  settings: DockerConfig,
  field: keyof ListFormats,
  given: { readonly format: string; readonly quiet?: boolean },
): string {
  return given.format !== '' || given.quiet === true ? given.format : (settings[field] ?? '');
}

/** Filters of a prune with the user's own; of a label that is asked for, what config.json says against it is left out. */
export function pruneFilters(settings: DockerConfig, given: FilterValues): FilterValues {
  const opposite: Readonly<Record<string, string>> = { label: 'label!', 'label!': 'label' };
  const filters: Record<string, readonly string[]> = { ...given };
  for (const one of settings.pruneFilters ?? []) {
    const equals = one.indexOf('=');
    if (equals === -1) continue;
    const [name, value] = [one.slice(0, equals), one.slice(equals + 1)];
    if (given[opposite[name] ?? '']?.includes(value)) continue;
    filters[name] = [...(filters[name] ?? []), value];
  }
  return filters;
}

/** Variables with the user's proxies for containers of this daemon, but for those that `taken` names. */
export function proxyVariables(
  { proxies }: DockerConfig,
  host: string,
  taken: ReadonlySet<string>,
): Record<string, string> {
  const proxy = proxies?.[host] ?? proxies?.['default'] ?? {};
  const values = {
    HTTP_PROXY: proxy.httpProxy,
    HTTPS_PROXY: proxy.httpsProxy,
    NO_PROXY: proxy.noProxy,
    FTP_PROXY: proxy.ftpProxy,
    ALL_PROXY: proxy.allProxy,
  };
  const found: Record<string, string> = {};
  for (const [upper, value] of Object.entries(values)) {
    if (!value) continue;
    for (const name of [upper, upper.toLowerCase()]) if (!taken.has(name)) found[name] = value;
  }
  return found;
}

/** Only its owner may read it. */
export async function writeDockerConfig(directory: string, config: DockerConfig): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await replaceFile(pathIn(directory), `${JSON.stringify(config, null, '\t')}\n`, 0o600);
}
