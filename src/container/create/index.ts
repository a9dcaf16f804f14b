import type { ContainerConfig, ContainerCreateRequest, HostConfig } from '../../api/index.ts';
import type { LoggingConfig } from '../../config/index.ts';
import { shortId } from '../../lib/ids.ts';
import type { RunConfig } from '../../oci/index.ts';
import type { HostFacts } from '../host-facts.ts';
import { assertLogConfig } from '../logs/log-config.ts';
import { assertConfig } from './check-config.ts';
import { assertIsolation, assertModes, assertNetworking } from './check-modes.ts';
import { assertMounts } from './check-mounts.ts';
import { assertPolicies } from './check-policies.ts';
import { assertRaisable, assertResources } from './check-resources.ts';
import { assertSecurity } from './check-security.ts';
import { defaultHostConfig } from './host-config.ts';
import { mergeImageConfig } from './image-config.ts';
import { dropUnsupported } from './unsupported.ts';

export { assertConfig } from './check-config.ts';
export { assertNetworking } from './check-modes.ts';
export { assertMounts } from './check-mounts.ts';
export { assertRestartPolicy } from './check-policies.ts';
export { assertResources } from './check-resources.ts';
export { endpointsOf } from './endpoints.ts';
export { mergeImageConfig } from './image-config.ts';
export { dropUnsupportedChange } from './unsupported.ts';

export interface CreateInput {
  readonly request: ContainerCreateRequest;
  /** What the image says; `{}` for an image that says nothing. */
  readonly image: RunConfig;
  /** Of the container to be. */
  readonly id: string;
}

/** Where containers are made. */
export interface CreateContext {
  readonly host: HostFacts;
  /** Names for `--runtime`; the first is the default. */
  readonly runtimes: readonly string[];
  /** Of containers that do not say how they log. */
  readonly logging: LoggingConfig;
}

export interface NormalCreate {
  /** The image's config merged in. */
  readonly config: ContainerConfig;
  /** Every field set. */
  readonly hostConfig: HostConfig;
  /** What this host cannot do and was left out, in Docker's words. */
  readonly warnings: readonly string[];
}

/**
 * Checks a create request and fills in everything it leaves out, from the image and from Docker's defaults.
 * Throws `invalidArgument` with Docker's texts. Whether named containers, networks and volumes exist is not its matter.
 */
export function normalizeCreate(input: CreateInput, context: CreateContext): NormalCreate {
  const { request, image } = input;
  const { host, runtimes, logging } = context;
  const config = mergeImageConfig(request, image);
  assertConfig(config);
  const filled = defaultHostConfig(request.HostConfig ?? {}, {
    host,
    runtime: runtimes[0] ?? 'runc',
    logging,
  });
  const { hostConfig, warnings } = dropUnsupported(filled, host);
  assertPolicies(hostConfig);
  assertIsolation(hostConfig, runtimes);
  assertModes(hostConfig);
  assertNetworking(request, hostConfig);
  assertResources(hostConfig, host);
  assertRaisable(hostConfig, host);
  assertSecurity(hostConfig, host);
  assertMounts(hostConfig, host);
  assertLogConfig(hostConfig.LogConfig);
  const hostname = config.Hostname === '' ? defaultHostname(input.id, hostConfig, host) : config.Hostname;
  return { config: { ...config, Hostname: hostname }, hostConfig, warnings };
}

function defaultHostname(id: string, { NetworkMode, UTSMode }: HostConfig, host: HostFacts): string {
  return NetworkMode === 'host' || UTSMode === 'host' ? host.hostname : shortId(id);
}
