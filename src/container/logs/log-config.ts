import type { HostConfig } from '../../api/index.ts';
import { EngineError, messageOf } from '../../errors/index.ts';
import { parseBytes } from '../../lib/bytes.ts';
import { parseBoolean } from '../../lib/go-values.ts';
import type { LogLimits } from '../../runtime/index.ts';
import type { ContainerRecord } from '../record.ts';
import { logAttributes, logTag } from './attributes.ts';
import { logDriver } from './drivers.ts';

type LogConfig = HostConfig['LogConfig'];

/** Options that every driver takes; those of the cache matter to drivers that send a log elsewhere. */
const commonOptions = [
  'mode',
  'max-buffer-size',
  'cache-disabled',
  'cache-max-size',
  'cache-max-file',
  'cache-compress',
];

/** Throws `invalidArgument` with Docker's words for a driver there is not, or an option it does not know. */
export function assertLogConfig({ Type: type, Config: config }: LogConfig): void {
  if (type === 'none') return;
  const fault = faultOf(type, config);
  if (fault !== undefined) throw new EngineError('invalidArgument', fault);
}

/** The same for what a daemon was given for its containers. */
export function assertDefaultLogging(config: LogConfig): void {
  try {
    assertLogConfig(config);
  } catch (error) {
    throw new EngineError('invalidArgument', `failed to set log opts: ${messageOf(error)}`, { cause: error });
  }
}

function faultOf(type: string, config: LogConfig['Config']): string | undefined {
  const { mode = '', 'max-buffer-size': buffer, 'cache-disabled': uncached = '' } = config;
  if (!['', 'blocking', 'non-blocking'].includes(mode)) return `logger: logging mode not supported: ${mode}`;
  if (buffer !== undefined) {
    if (mode !== 'non-blocking')
      return "logger: max-buffer-size option is only supported with 'mode=non-blocking'";
    const wrong = errorOf(() => parseBytes(buffer, 1024));
    if (wrong !== undefined) return `error parsing option max-buffer-size: ${wrong}`;
  }
  if (uncached !== '' && errorOf(() => parseBoolean(uncached)) !== undefined) {
    return `invalid value for option cache-disabled: ${uncached}`;
  }
  const driver = logDriver(type);
  if (driver === undefined)
    return `error looking up logging plugin ${type}: plugin ${JSON.stringify(type)} not found`;
  const known = [...commonOptions, ...driver.options];
  const unknown = Object.keys(config).find((option) => !known.includes(option));
  if (unknown !== undefined) return driver.unknown(unknown);
  return errorOf(() => driver.remote?.assertOptions(config));
}

/** How much of a log is kept, `undefined` for all of it or where there is none. Throws an Error with Docker's words. */
export function logLimits({ Type: type, Config: config }: LogConfig): LogLimits | undefined {
  return logDriver(type)?.limits(config);
}

/** Whether clients may read the log. */
export function isReadable({ Type: type, Config: config }: LogConfig): boolean {
  const driver = logDriver(type);
  if (driver?.remote === undefined) return driver !== undefined;
  return !parseBoolean(config['cache-disabled'] || 'false');
}

/** Like Docker, it is only at a start that the values of options are looked at: `internal` with its words for a wrong one. */
export function assertLogValues(record: ContainerRecord): void {
  try {
    logLimits(record.hostConfig.LogConfig);
    logTag(record, '');
    logAttributes(record);
    const { Type: type, Config: config } = record.hostConfig.LogConfig;
    logDriver(type)?.remote?.assertStart?.(config);
  } catch (error) {
    throw new EngineError(
      'internal',
      `failed to create task for container: failed to initialize logging driver: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function errorOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
