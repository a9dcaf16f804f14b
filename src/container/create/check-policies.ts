import type { HostConfig, RestartPolicy } from '../../api/index.ts';
import { invalid } from './invalid.ts';

const sizePattern = /^[0-9]+(\.[0-9]+)? ?[bkmgtp]?i?b?$/i;
const jsonFileOptions = [
  'max-file',
  'max-size',
  'compress',
  'labels',
  'labels-regex',
  'env',
  'env-regex',
  'tag',
];

/** Options of each log driver we have, beside `mode` and `max-buffer-size`. */
const logOptions: Readonly<Record<string, readonly string[]>> = {
  'json-file': jsonFileOptions,
  local: ['max-file', 'max-size', 'compress'],
};

/** What happens when the container ends. */
export function assertPolicies(hostConfig: HostConfig): void {
  assertRestartPolicy(hostConfig.RestartPolicy);
  if (hostConfig.AutoRemove && hostConfig.RestartPolicy.Name !== 'no') {
    throw invalid("can't create 'AutoRemove' container with restart policy");
  }
  for (const key of Object.keys(hostConfig.Annotations ?? {})) {
    if (key === '')
      throw invalid('invalid Annotations: the empty string is not permitted as an annotation key');
  }
}

/** Throws `invalidArgument` with Docker's text. */
export function assertRestartPolicy(policy: RestartPolicy): void {
  const { Name: name, MaximumRetryCount: count } = policy;
  switch (name) {
    case 'on-failure':
      if (count < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative');
      return;
    case '':
    case 'no':
    case 'always':
    case 'unless-stopped':
      if (count === 0) return;
      throw invalid(
        `invalid restart policy: maximum retry count can only be used with 'on-failure'${count < 0 ? ' and cannot be negative' : ''}`,
      );
    default: {
      const unknown: string = name;
      throw invalid(
        `invalid restart policy: unknown policy '${unknown}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
    }
  }
}

/** Throws `invalidArgument` for a driver we lack or an option it does not know; Docker checks most values at start. */
export function assertLogConfig({ Type: type, Config: config }: HostConfig['LogConfig']): void {
  if (type === 'none') return;
  const known = Object.hasOwn(logOptions, type) ? logOptions[type] : undefined;
  if (known === undefined) {
    throw invalid(`error looking up logging plugin ${type}: plugin ${JSON.stringify(type)} not found`);
  }
  const mode = config['mode'] ?? '';
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalid(`logger: logging mode not supported: ${mode}`);
  }
  if (config['max-buffer-size'] !== undefined && mode !== 'non-blocking') {
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  for (const [option, value] of Object.entries(config)) {
    if (option === 'mode') continue;
    if (option !== 'max-buffer-size' && !known.includes(option)) {
      throw invalid(
        type === 'local'
          ? `unknown log opt '${option}' for log driver local`
          : `unknown log opt '${option}' for ${type} log driver`,
      );
    }
    assertLogValue(option, value);
  }
}

function assertLogValue(option: string, value: string): void {
  const isSize = option === 'max-size' || option === 'max-buffer-size';
  if (isSize && value !== '-1' && !sizePattern.test(value)) {
    throw invalid(`invalid value for log opt '${option}': invalid size: '${value}'`);
  }
  if (option === 'max-file' && !/^[1-9][0-9]*$/.test(value)) {
    throw invalid(`invalid value for log opt 'max-file': ${value}: it must be a number of at least 1`);
  }
}
