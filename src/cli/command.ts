import type { Client } from '../client/index.ts';
import type { CliConfig } from '../config/index.ts';
import { EngineError } from '../errors/index.ts';
import { type FlagTable, type ParsedFlags, parseFlags } from './flags.ts';

/** What a running command is given. */
export interface Context {
  readonly config: CliConfig;
  /** Connects on first use, starting a daemon where the default one is missing. */
  readonly client: () => Promise<Client>;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export interface Invocation<F extends FlagTable> extends ParsedFlags<F> {
  readonly context: Context;
}

/** A command of the CLI. Its words are those of the docker CLI. */
export interface Command<F extends FlagTable = FlagTable> {
  /** With `gantry ` before it: `run`, `container ls`. */
  readonly name: string;
  /** After the name: `[OPTIONS] IMAGE [COMMAND] [ARG...]`; a second line is a second form. */
  readonly usage: string;
  readonly summary: string;
  /** More help text, under the summary. */
  readonly details?: string;
  /** Other names of the command. */
  readonly aliases?: readonly string[];
  readonly minArgs: number;
  readonly maxArgs?: number;
  /** False: the first word that is no flag ends the flags. */
  readonly interspersed?: boolean;
  readonly flags: F;
  /** How errors of the daemon are told: most commands say `Error response from daemon: …`; run and create more. */
  readonly errorStyle?: 'run';
  /** Its result is the exit code; nothing is 0. */
  run(invocation: Invocation<F>): Promise<number | undefined | void>;
}

/** Keeps the value types of the flags while the table is written. */
export function defineCommand<const F extends FlagTable>(command: Command<F>): Command {
  return command;
}

/** Thrown to end with an exit code when everything was said already. */
export class ExitCode extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.name = 'ExitCode';
    this.exitCode = exitCode;
  }
}

/** Wrong words on the command line; told with the command's usage. */
export class UsageError extends EngineError {
  constructor(message: string) {
    super('invalidArgument', message);
    this.name = 'UsageError';
  }
}

/** Parses the words after the command's name. Throws UsageError with Docker's text. */
export function parseInvocation(command: Command, argv: readonly string[]): ParsedFlags<FlagTable> {
  let parsed: ParsedFlags<FlagTable>;
  try {
    parsed = parseFlags(command.flags, argv, { interspersed: command.interspersed ?? true });
  } catch (error) {
    if (error instanceof EngineError) throw new UsageError(error.message);
    throw error;
  }
  if (parsed.help) return parsed;
  const complaint = argumentComplaint(command, parsed.args.length);
  if (complaint !== undefined) {
    throw new ArgumentCountError(`gantry: 'gantry ${command.name}' ${complaint}`);
  }
  return parsed;
}

/** The wrong number of arguments: Docker points at the help with other words than for a wrong flag. */
export class ArgumentCountError extends UsageError {}

function argumentComplaint(command: Command, count: number): string | undefined {
  const { minArgs: min, maxArgs: max } = command;
  if (count >= min && (max === undefined || count <= max)) return undefined;
  const plural = (n: number) => (n === 1 ? 'argument' : 'arguments');
  if (max === 0) return 'accepts no arguments';
  if (min === max) return `requires ${min} ${plural(min)}`;
  if (count < min && max === undefined) return `requires at least ${min} ${plural(min)}`;
  if (max !== undefined && min > 0) return `requires at least ${min} and at most ${max} ${plural(max)}`;
  return `requires at most ${String(max)} ${plural(max ?? 0)}`;
}
