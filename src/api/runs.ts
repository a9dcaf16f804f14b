import type { HealthLog } from './container.ts';

/** What a client or the engine asked of a container last before its run ended. */
export interface RunEnding {
  /** `lost`: nobody saw the end, for the machine or the monitor went down with it. */
  readonly Action: 'stop' | 'kill' | 'restart' | 'reconfigure' | 'remove' | 'shutdown' | 'lost';
  /** `SIGTERM`; '' for none. */
  readonly Signal: string;
  /** RFC 3339. */
  readonly At: string;
  /** The signal had no effect: the kernel drops what the first process of a container has no handler for. */
  readonly Deaf: boolean;
  /** It did not end in time, and SIGKILL followed. */
  readonly Forced: boolean;
}

/** A line that a run logged. */
export interface RunLogLine {
  /** RFC 3339, with nanoseconds. */
  readonly Time: string;
  readonly Stream: 'stdout' | 'stderr';
  /** With its line feed, unless there was none. What is no UTF-8 is replaced. */
  readonly Text: string;
}

/** One run of a container: `GET /gantry/containers/ID/runs`, oldest first. */
export interface ContainerRun {
  /** 1 for the first. */
  readonly Number: number;
  /** RFC 3339; Go's zero time for a start that failed. */
  readonly StartedAt: string;
  /** null while it runs. */
  readonly FinishedAt: string | null;
  /** null while it runs. */
  readonly ExitCode: number | null;
  /** The kernel killed a process in it for want of memory. */
  readonly OOMKilled: boolean;
  /** Why it did not start; '' if it did. */
  readonly Error: string;
  readonly EndedBy: RunEnding | null;
  /** The last result of its health check. */
  readonly Health: HealthLog | null;
  /** The last lines it logged: at most ten, and 4 KiB of text. None while it runs: the log has them. */
  readonly Log: readonly RunLogLine[];
  /** Why it ended, or what to know of it while it runs: whole sentences. */
  readonly Explanation: string;
}
