import { EngineError } from '../errors/index.ts';

export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/**
 * Milliseconds after which held-back keys go on to the process, so that a lone ctrl-p is not kept. They still count: a
 * person may take their time between two keys.
 */
const holdMs = 500;

const controlCodes: Readonly<Record<string, number>> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 };

/** Reads `ctrl-p,ctrl-q` (or single characters) into bytes. Throws `invalidArgument`. */
export function parseDetachKeys(text: string): Buffer {
  return Buffer.from(
    text.split(',').map((key) => {
      const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
      if (control === undefined) {
        if (key.length === 1) return key.charCodeAt(0);
        throw new EngineError('invalidArgument', `Unknown character: '${key}'`);
      }
      const code = /[a-z]/.test(control) ? control.charCodeAt(0) - 96 : controlCodes[control];
      if (code === undefined) throw new EngineError('invalidArgument', `Unknown character: '${key}'`);
      return code;
    }),
  );
}

/** Passes typed bytes on, holding back those that may begin the detach sequence. */
export class DetachFilter implements Disposable {
  readonly #keys: Buffer;
  readonly #forward: (data: Buffer) => void;
  #matched = 0;
  /** How many of the matched keys the process has got all the same. */
  #passed = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(keys: Buffer, forward: (data: Buffer) => void) {
    this.#keys = keys;
    this.#forward = forward;
  }

  /** True when the sequence is complete: the client wants to leave. */
  push(data: Buffer): boolean {
    clearTimeout(this.#timer);
    const out: number[] = [];
    for (const byte of data) {
      if (byte !== this.#keys[this.#matched]) {
        out.push(...this.#keys.subarray(this.#passed, this.#matched));
        this.#matched = 0;
        this.#passed = 0;
      }
      if (byte === this.#keys[this.#matched]) this.#matched++;
      else out.push(byte);
      if (this.#matched === this.#keys.length) {
        if (out.length > 0) this.#forward(Buffer.from(out));
        return true;
      }
    }
    if (out.length > 0) this.#forward(Buffer.from(out));
    if (this.#matched > this.#passed) this.#timer = setTimeout(() => this.flush(), holdMs);
    return false;
  }

  /** Passes on what is held back. */
  flush(): void {
    clearTimeout(this.#timer);
    const held = this.#keys.subarray(this.#passed, this.#matched);
    this.#passed = this.#matched;
    if (held.length > 0) this.#forward(Buffer.from(held));
  }

  /** Forgets what is held back. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
