import { EngineError } from '../../errors/index.ts';
import { compileTemplate, Struct, shape, typed } from '../../lib/template/index.ts';
import type { ContainerRecord } from '../record.ts';

const tagErrors = { parse: '', execute: '', name: 'log-tag', dataType: '*logger.Info' };

/** Labels and variables that the log options `labels`, `labels-regex`, `env` and `env-regex` name, with their values. */
export function logAttributes({ config, hostConfig }: ContainerRecord): Record<string, string> {
  const { Config: options } = hostConfig.LogConfig;
  const variables = (config.Env ?? []).flatMap((line): [string, string][] => {
    const at = line.indexOf('=');
    return at === -1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
  });
  const labels = Object.entries(config.Labels ?? {});
  return Object.fromEntries([
    ...named(labels, options['labels']),
    ...matching(labels, options['labels-regex']),
    ...named(variables, options['env']),
    ...matching(variables, options['env-regex']),
  ]);
}

/** The log option `tag`, a Go template over the container. Throws an Error with Go's words. */
export function logTag(record: ContainerRecord, otherwise: string): string {
  const template = record.hostConfig.LogConfig.Config['tag'] || otherwise;
  return compileTemplate(template, tagErrors)(tagData(record));
}

/** What goes before each line for a client that asks for details: `a=1,b=2 `, a space alone where there are none. */
export function logDetails(record: ContainerRecord): string {
  if (record.hostConfig.LogConfig.Type !== 'json-file') return ' ';
  const tag = logTag(record, '');
  const attributes = { ...logAttributes(record), ...(tag === '' ? {} : { tag }) };
  const pairs = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `${pairs.map(([key, value]) => `${escaped(key)}=${escaped(value)}`).join(',')} `;
}

function named(entries: readonly [string, string][], names: string | undefined): [string, string][] {
  const wanted = (names ?? '').split(',');
  return entries.filter(([key]) => wanted.includes(key));
}

function matching(entries: readonly [string, string][], pattern: string | undefined): [string, string][] {
  if (pattern === undefined || pattern === '') return [];
  let regex: RegExp;
  try {
    regex = new RegExp(pattern);
  } catch (error) {
    throw new EngineError('invalidArgument', `error parsing regexp: \`${pattern}\``, { cause: error });
  }
  return entries.filter(([key]) => regex.test(key));
}

/** The fields and methods of Docker's logger.Info. */
function tagData(record: ContainerRecord): Struct {
  const { id, name, imageId, config, hostConfig } = record;
  const [entrypoint = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return new Struct({
    ID: id.slice(0, 12),
    FullID: id,
    Name: name.slice(1),
    ImageID: imageId.slice(0, 12),
    ImageFullID: imageId,
    ImageName: config.Image,
    DaemonName: 'docker',
    Command: [entrypoint, ...args].join(' '),
    ContainerID: id,
    ContainerName: name,
    ContainerEntrypoint: entrypoint,
    ContainerArgs: args,
    ContainerImageID: imageId,
    ContainerImageName: config.Image,
    ContainerCreated: typed(record.created, shape.time),
    ContainerEnv: config.Env ?? [],
    ContainerLabels: typed(config.Labels ?? {}, shape.map()),
    Config: typed(hostConfig.LogConfig.Config, shape.map()),
    ExtraAttributes: () => typed(logAttributes(record), shape.map()),
  });
}

/** As Go's url.QueryEscape. */
function escaped(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
