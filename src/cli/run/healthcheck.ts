import { EngineError } from '../../errors/index.ts';
import type { Healthcheck } from '../../oci/index.ts';
import type { ContainerFlagValues } from './container-flags.ts';

const names = [
  'health-cmd',
  'health-interval',
  'health-retries',
  'health-start-interval',
  'health-start-period',
  'health-timeout',
] as const;

type HealthFlags = Pick<ContainerFlagValues, (typeof names)[number] | 'no-healthcheck'>;

/** The `--health-*` flags, `undefined` when none was given: the image's check stays. */
export function healthcheckOf(flags: HealthFlags, given: ReadonlySet<string>): Healthcheck | undefined {
  const some = names.some((name) => given.has(name));
  if (flags['no-healthcheck']) {
    if (some) throw invalid('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!some) return undefined;
  for (const name of names) {
    const value = flags[name];
    if (typeof value === 'number' && value < 0) throw invalid(`--${name} cannot be negative`);
  }
  return {
    ...(flags['health-cmd'] === '' ? {} : { Test: ['CMD-SHELL', flags['health-cmd']] }),
    // What is 0 is the image's, or the default.
    ...Object.fromEntries(
      Object.entries({
        Interval: flags['health-interval'],
        Timeout: flags['health-timeout'],
        StartPeriod: flags['health-start-period'],
        StartInterval: flags['health-start-interval'],
        Retries: flags['health-retries'],
      }).filter(([, value]) => value !== 0),
    ),
  };
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}
