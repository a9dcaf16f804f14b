import { parseError } from './parse-error.ts';

const pattern = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const known = new Set(['escape', 'syntax', 'check']);

/** Reads the `# key=value` lines at the top of a file; the first other line ends them. */
export class DirectiveReader {
  readonly #values = new Map<string, string>();
  #done = false;

  /** Throws `invalidArgument` for a repeated directive and for a bad escape character. */
  read(line: string, lineNumber: number): void {
    if (this.#done) return;
    const match = pattern.exec(line);
    const key = match?.[1]?.toLowerCase() ?? '';
    const value = match?.[2] ?? '';
    if (!known.has(key)) {
      this.#done = true;
      return;
    }
    if (this.#values.has(key)) throw parseError(lineNumber, `only one ${key} parser directive can be used`);
    if (key === 'escape' && value !== '\\' && value !== '`') {
      throw parseError(lineNumber, `invalid escape token '${value}' does not match \` or \\`);
    }
    this.#values.set(key, value);
  }

  get escape(): string {
    return this.#values.get('escape') ?? '\\';
  }

  get(key: 'syntax' | 'check'): string | undefined {
    return this.#values.get(key);
  }
}
