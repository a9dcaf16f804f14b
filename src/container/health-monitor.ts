import type { Logger } from 'pino';
import { randomId } from '../lib/ids.ts';
import { killGroupOf } from '../lib/run.ts';
import type { OciRuntime } from '../runtime/index.ts';
import { sharesPids } from './execs.ts';
import { HealthLoop, healthSettings, initialHealth, type ProbeResult, type RunningProbe } from './health.ts';
import type { RunObserver } from './lifecycle.ts';
import type { Container } from './record.ts';
import type { Specs } from './specs.ts';
import type { ContainerStore } from './store.ts';

export interface HealthMonitorDeps {
  readonly store: ContainerStore;
  readonly runtime: OciRuntime;
  readonly specs: Specs;
  readonly logger: Logger;
}

/** Longest output of a probe that is read; the rest is thrown away. */
const mostOutputBytes = 4096;
const killedExitCode = 137;
/** How long the end of a container may take that has killed a probe. */
const lastMomentsMs = 1000;

/** Runs the health checks of running containers. */
export class HealthMonitor implements RunObserver {
  readonly #deps: HealthMonitorDeps;
  readonly #loops = new Map<string, HealthLoop>();

  constructor(deps: HealthMonitorDeps) {
    this.#deps = deps;
  }

  started({ record, state }: Container): void {
    const { store, logger } = this.#deps;
    const { id, config } = record;
    const settings = healthSettings(config.Healthcheck, config.Shell);
    if (settings === undefined) return;
    const health = state.health ?? initialHealth;
    if (state.health === undefined) store.noteHealth(id, health);
    const loop = new HealthLoop({
      settings,
      startedAt: new Date(state.startedAt),
      health,
      probe: (signal) => this.#probe(id, settings.command, signal),
      isUp: (failed) => this.#isUp(id, failed),
      onResult: (after, before) => {
        if (store.get(id)?.state.running !== true) return;
        const changed = after.Status !== before.Status;
        if (changed) logger.debug({ container: id, health: after.Status }, 'health changed');
        store.noteHealth(id, after, ...(changed ? [{ action: `health_status: ${after.Status}` }] : []));
      },
      onError: (error) => {
        logger.warn({ container: id, err: error }, 'cannot check the health of the container');
      },
    });
    loop.paused = state.paused;
    this.#loops.set(id, loop);
  }

  ended({ record }: Container): void {
    this.#stop(record.id);
  }

  /** No probe begins while a container is paused. */
  paused(id: string, paused: boolean): void {
    const loop = this.#loops.get(id);
    if (loop !== undefined) loop.paused = paused;
  }

  close(): void {
    for (const id of [...this.#loops.keys()]) this.#stop(id);
  }

  #stop(id: string): void {
    const loop = this.#loops.get(id);
    this.#loops.delete(id);
    // A probe that runs is killed with its container, or by its own signal.
    void loop?.[Symbol.asyncDispose]();
  }

  /** Whether a container still ran when a probe of it failed. */
  async #isUp(id: string, { exitCode }: ProbeResult): Promise<boolean> {
    const { runtime } = this.#deps;
    const status = (await runtime.state(id))?.status;
    if (status !== 'running' && status !== 'paused') return false;
    if (exitCode !== killedExitCode && exitCode !== -1) return true;
    // The kernel ends a container's other processes, and lets none in, before its first one is gone.
    return runtime.wait(id, AbortSignal.timeout(lastMomentsMs)).then(
      () => false,
      () => true,
    );
  }

  async #probe(id: string, command: readonly string[], signal: AbortSignal): Promise<RunningProbe> {
    const { store, runtime, specs } = this.#deps;
    const process = await specs.exec(store.current(id), { Cmd: command });
    const execId = randomId();
    const { pid, attachment } = await runtime.exec(
      id,
      {
        execId,
        process,
        terminal: false,
        stdin: false,
        attach: true,
        sharesPids: sharesPids(store.current(id)),
        endsWithEngine: true,
      },
      signal,
    );
    const kill = () => {
      // An exec leads a process group of its own: its children go with it.
      killGroupOf(pid);
    };
    const chunks: Buffer[] = [];
    const end = async () => {
      signal.addEventListener('abort', kill, { once: true });
      try {
        if (signal.aborted) kill();
        let bytes = 0;
        for await (const { data } of attachment?.output ?? []) {
          if (bytes < mostOutputBytes) chunks.push(data);
          bytes += data.length;
        }
        return (await runtime.waitExec(id, execId)).exitCode;
      } finally {
        signal.removeEventListener('abort', kill);
        await attachment?.[Symbol.asyncDispose]();
        await runtime.deleteExec(id, execId);
      }
    };
    return { output: () => Buffer.concat(chunks).toString('utf8'), ended: end() };
  }
}
