import type { HostConfig, RestartPolicy } from '../../api/index.ts';
import { invalid } from './invalid.ts';

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
