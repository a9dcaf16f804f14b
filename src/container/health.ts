import { once } from 'node:events';
import type { Health, HealthLog } from '../api/index.ts';
import { messageOf } from '../errors/index.ts';
import { formatDuration } from '../lib/duration.ts';
import { settlesInTime, Timeout } from '../lib/timeout.ts';
import type { Healthcheck } from '../oci/index.ts';

/** How a container's health is checked, with Docker's defaults. */
export interface HealthSettings {
  /** What to run in the container. */
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures do not count for this long after the start, before a first success. */
  readonly startPeriodMs: number;
  /** The interval during the start period. */
  readonly startIntervalMs: number;
  readonly retries: number;
}

export interface ProbeResult {
  readonly start: Date;
  readonly end: Date;
  /** 0 is healthy; -1 means that the probe did not start, or ran out of time. */
  readonly exitCode: number;
  readonly output: string;
}

const nanosecondsPerMs = 1_000_000;
const keptResults = 5;
const longestOutputBytes = 4096;
/** How long the start of a probe may take, which a busy machine makes long and which is not its own time. */
const mostStartMs = 30_000;

/** State of a container whose health is checked, when it starts. */
export const initialHealth: Health = { Status: 'starting', FailingStreak: 0, Log: [] };

/** `undefined` when there is nothing to check. `shell` is the image's SHELL. */
export function healthSettings(
  check: Healthcheck | undefined,
  shell: readonly string[] = ['/bin/sh', '-c'],
): HealthSettings | undefined {
  const [kind, ...words] = check?.Test ?? [];
  if (check === undefined || words.length === 0 || (kind !== 'CMD' && kind !== 'CMD-SHELL')) return undefined;
  return {
    command: kind === 'CMD' ? words : [...(shell.length === 0 ? ['/bin/sh', '-c'] : shell), ...words],
    intervalMs: durationMs(check.Interval, 30_000),
    timeoutMs: durationMs(check.Timeout, 30_000),
    startPeriodMs: durationMs(check.StartPeriod, 0),
    startIntervalMs: durationMs(check.StartInterval, 5000),
    retries: check.Retries === undefined || check.Retries <= 0 ? 3 : check.Retries,
  };
}

function durationMs(nanoseconds: number | undefined, otherwise: number): number {
  return nanoseconds === undefined || nanoseconds === 0 ? otherwise : nanoseconds / nanosecondsPerMs;
}

/** The health after a probe. `startedAt` is the container's start. [moby daemon/health.go] */
export function nextHealth(
  health: Health,
  result: ProbeResult,
  settings: Pick<HealthSettings, 'retries' | 'startPeriodMs'> & { readonly startedAt: Date },
): Health {
  const Log = [...health.Log, logOf(result)].slice(-keptResults);
  if (result.exitCode === 0) return { Status: 'healthy', FailingStreak: 0, Log };
  const inStartPeriod = result.start.getTime() - settings.startedAt.getTime() < settings.startPeriodMs;
  if (health.Status === 'starting' && inStartPeriod) return { ...health, Log };
  const FailingStreak = health.FailingStreak + 1;
  const Status = FailingStreak >= settings.retries ? 'unhealthy' : health.Status;
  return { Status, FailingStreak, Log };
}

function logOf({ start, end, exitCode, output }: ProbeResult): HealthLog {
  const bytes = Buffer.from(output);
  const kept =
    bytes.length <= longestOutputBytes ? output : bytes.subarray(0, longestOutputBytes).toString('utf8');
  return { Start: start.toISOString(), End: end.toISOString(), ExitCode: exitCode, Output: kept };
}

/** Milliseconds from one probe to the next. */
export function nextDelayMs(health: Health, settings: HealthSettings, sinceStartMs: number): number {
  const startsUp = health.Status === 'starting' && sinceStartMs < settings.startPeriodMs;
  return startsUp ? settings.startIntervalMs : settings.intervalMs;
}

/** A probe that runs in the container. */
export interface RunningProbe {
  /** What it has said so far. */
  readonly output: () => string;
  /** Its exit code, once nothing is left of it. */
  readonly ended: Promise<number>;
}

export interface HealthLoopOptions {
  readonly settings: HealthSettings;
  readonly startedAt: Date;
  /** Where it goes on from: what was known before the engine restarted. */
  readonly health: Health;
  /** Starts the command. Must end it, with all its children, when the signal aborts. */
  readonly probe: (signal: AbortSignal) => Promise<RunningProbe>;
  /** Whether the container still runs: a probe that fails because it has ended says nothing of its health. */
  readonly isUp: (failed: ProbeResult) => Promise<boolean>;
  /** Called after every probe. A change of `Status` is an event. */
  readonly onResult: (health: Health, before: Health) => void;
  /** Told of what made a check come to nothing; the next one is made all the same. */
  readonly onError: (error: unknown) => void;
}

/** Checks one running container's health until it is stopped. Paused, it waits. */
export class HealthLoop implements AsyncDisposable {
  readonly #options: HealthLoopOptions;
  readonly #stopped = new AbortController();
  readonly #done: Promise<void>;
  #health: Health;
  #paused = false;
  #probing: AbortController | undefined;
  /** Settles once nothing is left of the last probe. */
  #over: Promise<unknown> = Promise.resolve();

  constructor(options: HealthLoopOptions) {
    this.#options = options;
    this.#health = options.health;
    this.#done = this.#run();
  }

  /** While paused no probe begins, and one that runs ends without a result. */
  set paused(paused: boolean) {
    this.#paused = paused;
    if (paused) this.#probing?.abort();
  }

  /** Ends a probe that runs, without a result. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const sinceStartMs = Date.now() - this.#options.startedAt.getTime();
      await sleep(nextDelayMs(this.#health, this.#options.settings, sinceStartMs), signal);
      if (signal.aborted) return;
      if (this.#paused) continue;
      try {
        if (!(await this.#check(signal))) return;
      } catch (error) {
        this.#options.onError(error);
      }
      // A probe that ran out of time may take long to die, and no other is to run beside it.
      await this.#over;
    }
  }

  /** One probe and what follows from it; false once the container has ended. */
  async #check(signal: AbortSignal): Promise<boolean> {
    const probing = new AbortController();
    this.#probing = probing;
    const result = await this.#probe(AbortSignal.any([signal, probing.signal]));
    if (probing.signal.aborted) return true;
    if (result.exitCode !== 0 && !(await this.#options.isUp(result))) return false;
    if (signal.aborted) return false;
    this.#record(result);
    return true;
  }

  #record(result: ProbeResult): void {
    const { settings, startedAt, onResult } = this.#options;
    const before = this.#health;
    this.#health = nextHealth(before, result, { ...settings, startedAt });
    onResult(this.#health, before);
  }

  /** Never rejects: a probe that could not run is a failed one, with the reason as its output. */
  async #probe(stopped: AbortSignal): Promise<ProbeResult> {
    const { probe, settings } = this.#options;
    const start = new Date();
    const failed = new AbortController();
    try {
      const starting = probe(AbortSignal.any([stopped, failed.signal]));
      this.#over = Promise.allSettled([starting.then(({ ended }) => ended)]);
      const { output, ended } = await inTime(starting, {
        timeoutMs: mostStartMs,
        stopped,
        late: () => 'timed out starting health check',
      });
      const exitCode = await inTime(ended, {
        timeoutMs: settings.timeoutMs,
        stopped,
        late: () => exceeded(settings, output()),
      });
      return { start, end: new Date(), exitCode, output: output() };
    } catch (error) {
      failed.abort();
      return { start, end: new Date(), exitCode: -1, output: messageOf(error) };
    }
  }
}

function exceeded({ timeoutMs }: HealthSettings, output: string): string {
  const text = `Health check exceeded timeout (${formatDuration(timeoutMs * 1e6)})`;
  return output === '' ? text : `${text}: ${output}`;
}

interface Limits {
  readonly timeoutMs: number;
  readonly stopped: AbortSignal;
  /** The reason when the time is over. */
  readonly late: () => string;
}

async function inTime<T>(promise: Promise<T>, { timeoutMs, stopped, late }: Limits): Promise<T> {
  if (await settlesInTime(promise, timeoutMs, stopped)) return promise;
  throw new Error(late());
}

/** Resolves after the time or when the signal aborts. */
async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  using timeout = new Timeout(ms);
  const over = AbortSignal.any([timeout.signal, signal]);
  await once(over, 'abort');
}
