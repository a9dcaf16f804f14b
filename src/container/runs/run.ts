import type { HealthLog, RunLogLine } from '../../api/index.ts';

/** What was asked of a running container last: why its run may end. */
export interface Ending {
  readonly action: 'stop' | 'kill' | 'restart' | 'reconfigure' | 'remove' | 'shutdown' | 'lost';
  /** 0 for none. */
  readonly signal: number;
  /** RFC 3339. */
  readonly at: string;
  /** PID 1 has no handler for the signal. */
  readonly deaf: boolean;
  /** SIGKILL followed. */
  readonly forced: boolean;
}

/** One run of a container, from its start to its end. */
export interface Run {
  /** RFC 3339; Go's zero time for a start that failed. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Why it did not start; '' if it did. */
  readonly error: string;
  readonly ending?: Ending;
  readonly health?: HealthLog;
  /** The last lines it logged. */
  readonly log?: readonly RunLogLine[];
}
