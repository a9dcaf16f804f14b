import { join } from 'node:path';
import { EngineError } from '../../errors/index.ts';
import { watchProcess } from '../../lib/fd-socket.ts';
import { readMemoryFile } from '../../lib/memory-files.ts';
import { reapChild } from '../../lib/reap-child.ts';
import { sendSignal } from '../../lib/send-signal.ts';
import { type FastChild, spawnFast } from '../../lib/spawn-fast.ts';
import type { Exit } from '../oci-runtime.ts';
import type { RuntimeHost } from './host.ts';
import { monitorFiles } from './layout.ts';
import { PipeAttachment } from './pipe-attachment.ts';

export interface AdoptedTarget {
  /** The container. */
  readonly id: string;
  /** Of the exec, with its process file. */
  readonly directory: string;
  readonly stdin: boolean;
  /** The error for what the runtime logged when it could not start the process. */
  readonly failure: (log: string) => Error;
}

/** The runtime's own errors, as JSON lines. */
const logFile = 'log';

/**
 * A further process in a container that has us for a parent once the runtime has started it, and pipes to us for
 * stdio: no monitor is needed, which a start would wait for. When the engine is killed it goes on and meets closed
 * pipes, as dockerd's do.
 */
export class AdoptedExec {
  readonly pid: number;
  readonly attachment: PipeAttachment;
  readonly exit: Promise<Exit>;

  /** Ends it and what is left of its output. */
  async kill(): Promise<void> {
    sendSignal(this.pid, 'SIGKILL');
    await this.exit;
    this.attachment.close();
  }

  private constructor(pid: number, attachment: PipeAttachment) {
    this.pid = pid;
    this.attachment = attachment;
    const watch = watchProcess(pid);
    this.exit = (watch?.ended ?? Promise.resolve()).then(() => {
      watch?.[Symbol.dispose]();
      attachment.drain();
      return { exitCode: reapChild(pid) ?? 137, oomKilled: false, finishedAt: new Date() };
    });
  }

  static async start(host: RuntimeHost, target: AdoptedTarget): Promise<AdoptedExec> {
    const { id, directory, stdin, failure } = target;
    const file = (name: string) => join(directory, name);
    const child = spawnFast(
      host.programPath(),
      [
        ...['--root', host.layout.root, '--log', file(logFile), '--log-format', 'json'],
        ...[
          'exec',
          '--detach',
          '--process',
          file(monitorFiles.process),
          '--pid-file',
          file(monitorFiles.pid),
          id,
        ],
      ],
      {
        cwd: directory,
        // It is gone before its garbage is worth collecting.
        env: { PATH: host.path, GOGC: 'off' },
        stdio: [stdin ? 'read' : 'null', 'write', 'write'],
      },
    );
    const attachment = new PipeAttachment(pipesOf(child));
    const exitCode = await child.exited;
    const pid = Number(readMemoryFile(file(monitorFiles.pid)) ?? 0);
    if (exitCode === 0 && pid > 0) return new AdoptedExec(pid, attachment);
    attachment.close();
    throw failure(readMemoryFile(file(logFile)) ?? '');
  }
}

function pipesOf({ stdio: [stdin, stdout, stderr] }: FastChild) {
  if (stdout === undefined || stderr === undefined) {
    throw new EngineError('internal', 'Cannot start a process without pipes for its output');
  }
  return { stdin, stdout, stderr };
}
