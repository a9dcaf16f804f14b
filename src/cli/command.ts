import type { Client } from '../client/index.ts';
import type { CliConfig } from '../config/index.ts';
import { type FlagTable, type ParsedFlags, parseFlags } from './flags.ts';
import type { DockerConfig } from './remote/docker-config.ts';

/** What a running command is given. */
export interface Context extends AsyncDisposable {
  readonly config: CliConfig;
  /** The user's choices in Docker's `config.json`, read on first use. */
  readonly settings: () => Promise<DockerConfig>;
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
  /** How errors are told: most commands say `Error response from daemon: …`; run more, and create what is not of the daemon. */
  readonly errorStyle?: 'run' | 'create';
  /** Its result is the exit code; nothing is 0. */
  run(invocation: Invocation<F>): Promise<number | undefined | void>;
}

/** Keeps the value types of the flags while the table is written. */
export function defineCommand<const F extends FlagTable>(command: Command<F>): Command {
  return command;
}

/** The words after a command's name, understood; or what is wrong with their number. */
export interface Parsed extends ParsedFlags<FlagTable> {
  readonly complaint?: string;
}

/** Parses the words after the command's name. Throws `invalidArgument` with Docker's text for a bad flag. */
export function parseInvocation(command: Command, path: string, argv: readonly string[]): Parsed {
  const parsed = parseFlags(command.flags, argv, { interspersed: command.interspersed ?? true });
  const complaint = parsed.help ? undefined : argumentComplaint(command, parsed.args.length);
  return complaint === undefined ? parsed : { ...parsed, complaint: `gantry: 'gantry ${path}' ${complaint}` };
}

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
