import type { Heredoc } from '../parser/ast.ts';

/** Where an instruction stands and how it was written. */
export interface Source {
  readonly line: number;
  /** The joined line as written. */
  readonly text: string;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** A command: exec form words, or one shell text. */
export interface Command {
  readonly args: readonly string[];
  /** True when `args` is one text for the shell. */
  readonly shell: boolean;
}

export interface FromInstruction {
  readonly kind: 'from';
  readonly base: string;
  /** Lower case. */
  readonly name?: string;
  readonly platform?: string;
  readonly source: Source;
}

export interface ArgInstruction {
  readonly kind: 'arg';
  readonly args: readonly { readonly key: string; readonly value?: string }[];
  readonly source: Source;
}

/** COPY and ADD. */
export interface CopyInstruction {
  readonly kind: 'copy' | 'add';
  readonly sources: readonly string[];
  /** Inline files; each becomes a file named as its heredoc. */
  readonly files: readonly Heredoc[];
  readonly destination: string;
  readonly from?: string;
  readonly chown?: string;
  readonly chmod?: string;
  readonly checksum?: string;
  readonly link: boolean;
  /** `undefined`: local archives yes, remote ones no. */
  readonly unpack?: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  readonly source: Source;
}

export interface RunInstruction {
  readonly kind: 'run';
  readonly command: Command;
  readonly files: readonly Heredoc[];
  readonly source: Source;
}

export interface HealthcheckInstruction {
  readonly kind: 'healthcheck';
  /** First word NONE, CMD or CMD-SHELL. */
  readonly test: readonly string[];
  /** Nanoseconds; 0 is "not given". */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
  readonly source: Source;
}

export type StageInstruction =
  | ArgInstruction
  | CopyInstruction
  | RunInstruction
  | HealthcheckInstruction
  | { readonly kind: 'cmd' | 'entrypoint'; readonly command: Command; readonly source: Source }
  | { readonly kind: 'env' | 'label'; readonly pairs: readonly KeyValue[]; readonly source: Source }
  | { readonly kind: 'expose'; readonly ports: readonly string[]; readonly source: Source }
  | { readonly kind: 'volume'; readonly paths: readonly string[]; readonly source: Source }
  | { readonly kind: 'shell'; readonly shell: readonly string[]; readonly source: Source }
  | { readonly kind: 'onbuild'; readonly trigger: string; readonly source: Source }
  | {
      readonly kind: 'maintainer' | 'user' | 'workdir' | 'stopsignal';
      readonly value: string;
      readonly source: Source;
    };

export type Instruction = FromInstruction | StageInstruction;
