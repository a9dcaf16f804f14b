import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { ignoreClosed } from '../../lib/ignore-closed.ts';
import type { Attachment } from '../oci-runtime.ts';
import { discard } from './discard.ts';
import { type OutputChunk, OutputQueue } from './output-queue.ts';

export interface Pipes {
  /** Our ends of the process's streams; `undefined` without stdin. */
  readonly stdin: Socket | undefined;
  readonly stdout: Socket;
  readonly stderr: Socket;
}

/** Output that an ended process has left in its pipes comes at once: after this long without any, none is left. */
const quietMs = 50;

/**
 * A client's hold on a process by the pipes it has for stdio. A client that reads slowly makes the process wait; one
 * that has gone does not, for what comes then is dropped.
 */
export class PipeAttachment implements Attachment {
  readonly output: AsyncIterable<OutputChunk>;
  readonly input: Writable;
  readonly #pipes: Pipes;
  readonly #queue: OutputQueue;
  #open = 2;
  #paused = false;
  #ended = false;
  #quiet: NodeJS.Timeout | undefined;

  constructor(pipes: Pipes) {
    this.#pipes = pipes;
    this.#queue = new OutputQueue({ pause: () => this.#pause(true), resume: () => this.#pause(false) });
    this.output = this.#queue;
    this.input = pipes.stdin === undefined ? discard() : inputTo(pipes.stdin);
    for (const stream of ['stdout', 'stderr'] as const) {
      const pipe = pipes[stream];
      pipe.on('data', (data: Buffer) => {
        this.#queue.push({ stream, data });
        this.#quiet?.refresh();
      });
      pipe.on('error', () => undefined);
      pipe.once('close', () => {
        this.#open -= 1;
        // The process may have sent its output elsewhere and go on reading.
        if (this.#open === 0) this.#queue.end();
      });
    }
  }

  /** The process has ended: what it left in its pipes is still read, then the output ends, whoever else holds it. */
  drain(): void {
    this.#ended = true;
    this.#pipes.stdin?.destroy();
    if (!this.#paused) this.#quiet = setTimeout(() => this.close(), quietMs);
  }

  close(): void {
    clearTimeout(this.#quiet);
    this.#pipes.stdin?.destroy();
    this.#pipes.stdout.destroy();
    this.#pipes.stderr.destroy();
    this.#queue.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#queue.end();
    this.#pause(false);
  }

  #pause(pause: boolean): void {
    if (this.#paused === pause) return;
    this.#paused = pause;
    clearTimeout(this.#quiet);
    this.#quiet = undefined;
    for (const pipe of [this.#pipes.stdout, this.#pipes.stderr]) {
      if (pause) pipe.pause();
      else pipe.resume();
    }
    if (this.#ended && !pause) this.drain();
  }
}

/** What a process that ended or closed its stdin did not read is nobody's error: it is dropped. */
function inputTo(pipe: Socket): Writable {
  pipe.on('error', ignoreClosed);
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (pipe.destroyed) done();
      else {
        pipe.write(chunk, () => {
          done();
        });
      }
    },
    final: (done) => {
      if (pipe.destroyed) done();
      else {
        pipe.end(() => {
          done();
        });
      }
    },
  });
}
