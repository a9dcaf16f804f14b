import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ExecCreateRequest, ExecInspect } from '../api/index.ts';
import { EngineError, isAbortError } from '../errors/index.ts';
import { randomId } from '../lib/ids.ts';
import type { Attachment, OciRuntime, ProcessSpec } from '../runtime/index.ts';
import { sessionOf } from './attach.ts';
import type { Session } from './containers.ts';
import type { Container } from './record.ts';
import { startExitCode } from './start-error.ts';
import type { ContainerStore } from './store.ts';
import { assertCan } from './transitions.ts';
import type { ResolvedUser } from './user.ts';

interface Exec {
  readonly id: string;
  readonly containerId: string;
  readonly request: ExecCreateRequest;
  running: boolean;
  started: boolean;
  exitCode: number | null;
  pid: number;
  /** Resolved once it runs or cannot any more. */
  readonly ready: PromiseWithResolvers<void>;
}

export interface ExecsDeps {
  readonly store: ContainerStore;
  readonly runtime: OciRuntime;
  readonly logger: Logger;
  /** Throws if the container has no such user. */
  readonly userOf: (container: Container, request: ExecCreateRequest) => ResolvedUser;
  /** What to run, from the container's settings and the request. */
  readonly processOf: (container: Container, request: ExecCreateRequest) => Promise<ProcessSpec>;
}

/** Whether a container shares process ids with the host or another container. */
export function sharesPids({ record }: Container): boolean {
  return record.hostConfig.PidMode !== '';
}

const readyMs = 10_000;
/** Ended execs are kept this long for `exec inspect`. */
const keepMs = 300_000;

/** Further processes in running containers. They live in memory: an exec does not outlive its client's interest. */
export class Execs {
  readonly #deps: ExecsDeps;
  readonly #byId = new Map<string, Exec>();
  readonly #closing = new AbortController();

  constructor(deps: ExecsDeps) {
    this.#deps = deps;
  }

  create(container: Container, request: ExecCreateRequest): string {
    if ((request.Cmd ?? []).length === 0)
      throw new EngineError('invalidArgument', 'No exec command specified');
    assertCan('exec', container);
    // Of the request's alone, as in Docker: the container's own was found at its start.
    if (request.User !== undefined && request.User !== '') this.#deps.userOf(container, request);
    const exec: Exec = {
      id: randomId(),
      containerId: container.record.id,
      request,
      running: false,
      started: false,
      exitCode: null,
      pid: 0,
      ready: Promise.withResolvers(),
    };
    this.#byId.set(exec.id, exec);
    this.#deps.store.note(container, {
      action: `exec_create: ${commandLine(request)}`,
      attributes: { execID: exec.id },
    });
    return exec.id;
  }

  /** Starts it; the session, or `undefined` when detached. */
  async start(
    id: string,
    options: {
      readonly detach: boolean;
      readonly consoleSize?: readonly [number, number];
      readonly onRun?: () => void;
    },
  ): Promise<Session | undefined> {
    const exec = this.#get(id);
    const container = this.#deps.store.current(exec.containerId);
    if (exec.started) {
      const why = exec.running ? 'is already running' : 'has already run';
      throw new EngineError('conflict', `Error: Exec command ${id} ${why}`);
    }
    assertCan('exec', container);
    exec.started = true;
    options.onRun?.();
    this.#deps.store.note(container, {
      action: `exec_start: ${commandLine(exec.request)}`,
      attributes: { execID: id },
    });
    const { request } = exec;
    const attach =
      !options.detach &&
      (request.AttachStdin === true || request.AttachStdout === true || request.AttachStderr === true);
    const tty = request.Tty === true;
    const consoleSize = options.consoleSize ?? request.ConsoleSize ?? undefined;
    let attachment: Attachment | undefined;
    try {
      const process = await this.#deps.processOf(container, { ...request, ConsoleSize: consoleSize ?? null });
      const run = await this.#deps.runtime.exec(exec.containerId, {
        execId: id,
        process,
        terminal: tty,
        stdin: request.AttachStdin === true && attach,
        attach,
        sharesPids: sharesPids(container),
      });
      exec.pid = run.pid;
      exec.running = true;
      exec.ready.resolve();
      attachment = run.attachment;
    } catch (error) {
      exec.exitCode = startExitCode(error) === 128 ? 126 : startExitCode(error);
      exec.ready.resolve();
      this.#forgetLater(id);
      throw error;
    }
    const ended = this.#follow(exec);
    if (attachment === undefined) return undefined;
    const streams = {
      stdin: request.AttachStdin === true,
      stdout: request.AttachStdout === true,
      stderr: request.AttachStderr === true,
      tty,
    };
    const held = attachment;
    const session = sessionOf(Promise.resolve(held), streams, async () => held[Symbol.asyncDispose]());
    // Clients ask for the exit code as soon as the output ends.
    return {
      ...session,
      output: then(session.output, ended),
      onDetach: () => this.#deps.store.note(container, { action: 'exec_detach', attributes: { execID: id } }),
    };
  }

  inspect(id: string): ExecInspect {
    const { request, ...exec } = this.#get(id);
    const [entrypoint = '', ...rest] = request.Cmd ?? [];
    return {
      ID: exec.id,
      Running: exec.running,
      ExitCode: exec.exitCode,
      ProcessConfig: {
        tty: request.Tty === true,
        entrypoint,
        arguments: rest,
        privileged: request.Privileged === true,
        ...(request.User === undefined || request.User === '' ? {} : { user: request.User }),
      },
      OpenStdin: request.AttachStdin === true,
      OpenStdout: request.AttachStdout === true,
      OpenStderr: request.AttachStderr === true,
      CanRemove: exec.started && !exec.running,
      ContainerID: exec.containerId,
      DetachKeys: request.DetachKeys ?? '',
      Pid: exec.pid,
    };
  }

  /** Clients send the size beside the start, or before it: Docker waits that long for the process. */
  async resize(id: string, size: { readonly height: number; readonly width: number }): Promise<void> {
    const exec = this.#get(id);
    if (!exec.running && exec.exitCode === null) await this.#ready(exec);
    if (!exec.running) throw new EngineError('conflict', `exec ${id} is not running`);
    await this.#deps.runtime.resizeExec(exec.containerId, id, size);
  }

  /** Ids of a container's execs that run or wait to. */
  of(containerId: string): string[] {
    return [...this.#byId.values()]
      .filter((exec) => exec.containerId === containerId && exec.exitCode === null)
      .map((exec) => exec.id);
  }

  /** Forgets the execs of a container that was removed. */
  forget(containerId: string): void {
    for (const exec of this.#byId.values()) if (exec.containerId === containerId) this.#byId.delete(exec.id);
  }

  close(): void {
    this.#closing.abort();
  }

  #get(id: string): Exec {
    const exec = this.#byId.get(id);
    if (exec === undefined) throw new EngineError('notFound', `No such exec instance: ${id}`);
    return exec;
  }

  async #ready(exec: Exec): Promise<void> {
    const done = new AbortController();
    const timeout = sleep(readyMs, true, { signal: AbortSignal.any([done.signal, this.#closing.signal]) });
    try {
      const isLate = await Promise.race([exec.ready.promise, timeout]);
      if (isLate === true) throw new EngineError('internal', 'timeout waiting for exec session ready');
    } finally {
      done.abort();
    }
  }

  /** Never rejects: of a detached exec nobody would hear it. */
  async #follow(exec: Exec): Promise<void> {
    const { runtime, logger } = this.#deps;
    try {
      const { exitCode } = await runtime.waitExec(exec.containerId, exec.id, this.#closing.signal);
      exec.exitCode = exitCode;
    } catch (error) {
      if (isAbortError(error)) return;
      // The container was torn down around it.
      exec.exitCode = 137;
      if (!(error instanceof EngineError))
        logger.warn({ exec: exec.id, err: error }, 'cannot follow the exec to its end');
    } finally {
      exec.running = false;
      exec.pid = 0;
    }
    this.#noteEnd(exec);
    this.#forgetLater(exec.id);
    // Nobody waits for its files to go.
    runtime.deleteExec(exec.containerId, exec.id).catch((error: unknown) => {
      logger.warn({ exec: exec.id, err: error }, 'cannot remove the files of an ended exec');
    });
  }

  #noteEnd({ id, containerId, exitCode }: Exec): void {
    const { store, logger } = this.#deps;
    const container = store.get(containerId);
    if (container === undefined) return;
    try {
      const attributes = { execID: id, exitCode: String(exitCode) };
      store.note(container, { action: 'exec_die', attributes });
    } catch (error) {
      logger.warn({ exec: id, err: error }, 'cannot write down the end of an exec');
    }
  }

  #forgetLater(id: string): void {
    setTimeout(() => this.#byId.delete(id), keepMs).unref();
  }
}

async function* then(output: Session['output'], ended: Promise<void>): Session['output'] {
  yield* output;
  await ended;
}

function commandLine(request: ExecCreateRequest): string {
  return (request.Cmd ?? []).join(' ');
}
