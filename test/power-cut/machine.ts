import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

/**
 * A machine that can lose its power, worked by a program with the verbs `up` (boots, returns when commands can run),
 * `run COMMAND` (input, output and exit code are the command's), `copy SOURCE TARGET` (a directory's content, into the
 * machine) and `cut` (takes the power away; the disk stays).
 */
export class Machine {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  async up(): Promise<void> {
    await this.#verb('up');
  }

  async cut(): Promise<void> {
    await this.#verb('cut');
  }

  async copy(source: string, target: string): Promise<void> {
    await this.#verb('copy', source, target);
  }

  /** A command's standard output. Fails when it fails; what it says of that goes to our own standard error. */
  async run(command: string, input: Uint8Array | string = ''): Promise<Buffer> {
    const child = this.open(command);
    const exited = once(child, 'exit');
    child.stdin.on('error', () => undefined); // A command need not read it.
    child.stdin.end(input);
    const output = await buffer(child.stdout);
    const [code] = (await exited) as [number | null];
    assert.equal(code, 0, `in the machine: ${command}`);
    return output;
  }

  /** A command that the caller talks to. */
  open(command: string): ChildProcessByStdio<Writable, Readable, null> {
    return spawn(this.#program, ['run', command], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  async #verb(...args: readonly string[]): Promise<void> {
    const child = spawn(this.#program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0, `${this.#program} ${args.join(' ')}`);
  }
}
