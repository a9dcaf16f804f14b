import type { RestartPolicy } from '../api/index.ts';

const firstDelayMs = 100;
const longestDelayMs = 60_000;
/** A run as long as this makes the next delay the first again. */
const soundRunMs = 10_000;

export interface RestartBackoff {
  readonly delayMs: number;
}

export interface EndedRun {
  readonly policy: RestartPolicy;
  readonly exitCode: number;
  /** Restarts by the policy so far. */
  readonly restartCount: number;
  readonly ranMs: number;
  /** What this function gave after the run before. */
  readonly previous?: RestartBackoff | undefined;
}

/**
 * When to start a container again that ended by itself; `undefined` leaves it ended. A container stopped by a client
 * is not for this function. [moby daemon/internal/restartmanager]
 */
export function nextRestart(run: EndedRun): RestartBackoff | undefined {
  if (!wantsRestart(run)) return undefined;
  if (run.previous === undefined || run.ranMs >= soundRunMs) return { delayMs: firstDelayMs };
  return { delayMs: Math.min(run.previous.delayMs * 2, longestDelayMs) };
}

function wantsRestart({
  policy,
  exitCode,
  restartCount,
}: Pick<EndedRun, 'policy' | 'exitCode' | 'restartCount'>): boolean {
  switch (policy.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return exitCode !== 0 && (policy.MaximumRetryCount === 0 || restartCount < policy.MaximumRetryCount);
    case '':
    case 'no':
      return false;
  }
}

/** Whether a container that does not run is started with the daemon. */
export function startsWithDaemon(
  policy: RestartPolicy,
  last: Pick<EndedRun, 'exitCode' | 'restartCount'> & {
    readonly stoppedByUser: boolean;
    readonly hasRun: boolean;
  },
): boolean {
  if (!last.hasRun) return false;
  if (policy.Name === 'always') return true;
  return !last.stoppedByUser && wantsRestart({ policy, ...last });
}
