import type { RunConfig } from '../../oci/index.ts';
import { expandWord, expandWords } from '../shell/expand.ts';

/** What the instructions so far have made of a stage: immutable, the next instruction makes a new one. */
export interface StageState {
  readonly config: RunConfig;
  readonly author?: string;
  /** Declared build arguments; a name without a value is `undefined`. */
  readonly args: ReadonlyMap<string, string | undefined>;
  /** True once this stage has a CMD of its own, which ENTRYPOINT then leaves alone. */
  readonly hasCmd: boolean;
}

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const defaultShell = ['/bin/sh', '-c'] as const;

/** The state right after FROM: ONBUILD triggers are taken out, PATH is there. */
export function initialState(base: RunConfig | undefined, author: string | undefined): StageState {
  const { OnBuild: _triggers, ...config } = base ?? {};
  const env = config.Env ?? [];
  const hasPath = env.some((entry) => entry.startsWith('PATH='));
  return {
    config: { ...config, Env: hasPath ? env : [...env, `PATH=${defaultPath}`] },
    ...(author === undefined ? {} : { author }),
    args: new Map(),
    hasCmd: false,
  };
}

export function shellOf(state: StageState): readonly string[] {
  const { Shell } = state.config;
  return Shell === undefined || Shell.length === 0 ? defaultShell : Shell;
}

/** The variables an instruction sees: ENV before ARG. */
export function variablesOf(state: StageState): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const [key, value] of state.args) if (value !== undefined) variables.set(key, value);
  for (const entry of state.config.Env ?? []) {
    const equals = entry.indexOf('=');
    if (equals > 0) variables.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  return variables;
}

/** Expands the words of one instruction, all with the variables as they were before it. */
export class Expander {
  readonly #escape: string;
  readonly #variables: ReadonlyMap<string, string>;

  constructor(state: StageState, escape: string) {
    this.#escape = escape;
    this.#variables = variablesOf(state);
  }

  word(text: string): string {
    return expandWord(text, this.#options());
  }

  words(texts: readonly string[]): string[] {
    return texts.flatMap((text) => expandWords(text, this.#options()));
  }

  /** A heredoc's body: quotes mean nothing. */
  body(text: string): string {
    return expandWord(text, { ...this.#options(), escape: '\\', plainQuotes: true });
  }

  #options() {
    return { escape: this.#escape, variables: (name: string) => this.#variables.get(name) };
  }
}
