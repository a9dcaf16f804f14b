import type { ContainerConfig } from '../../api/index.ts';
import type { Healthcheck } from '../../oci/index.ts';
import { parseSignal } from '../signals.ts';
import { invalid } from './invalid.ts';

/** The kernel's limit. */
const longestHostname = 64;
const nanosecondsPerMs = 1_000_000;
const portSpec = /^[0-9]+(-[0-9]+)?\/(tcp|udp|sctp)$/;

/** Checks the part of a request that an image can carry too. */
export function assertConfig(config: ContainerConfig): void {
  const { WorkingDir: workingDir } = config;
  if (workingDir !== '' && !workingDir.startsWith('/')) {
    throw invalid(`the working directory '${workingDir}' is invalid, it needs to be an absolute path`);
  }
  if (config.StopSignal !== undefined) parseSignal(config.StopSignal);
  for (const entry of config.Env) {
    if (entry === '' || entry.startsWith('=')) throw invalid(`invalid environment variable: ${entry}`);
  }
  for (const name of [config.Hostname, config.Domainname]) assertHostname(name);
  for (const port of Object.keys(config.ExposedPorts ?? {})) {
    if (!portSpec.test(port)) throw invalid(`invalid port specification: ${JSON.stringify(port)}`);
  }
  if (config.Healthcheck !== undefined) assertHealthcheck(config.Healthcheck);
}

function assertHostname(name: string): void {
  const printable = [...name].every((letter) => letter > ' ' && letter !== '\u007f' && letter !== '/');
  if (!printable || Buffer.byteLength(name) > longestHostname) {
    throw invalid(`invalid hostname: ${JSON.stringify(name)}`);
  }
}

function assertHealthcheck(check: Healthcheck): void {
  for (const key of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const duration = check[key] ?? 0;
    if (duration !== 0 && duration < nanosecondsPerMs) {
      throw invalid(`${key} in Healthcheck cannot be less than 1ms`);
    }
  }
  if ((check.Retries ?? 0) < 0) throw invalid('Retries in Healthcheck cannot be negative');
  const kind = check.Test?.[0];
  if (kind !== undefined && !['', 'NONE', 'CMD', 'CMD-SHELL'].includes(kind)) {
    throw invalid(`Unknown healthcheck type '${kind}' (expected 'CMD')`);
  }
}
