import { gantryVersion, logLevelOf } from '../config/index.ts';
import { EngineError, isAbortError, messageOf } from '../errors/index.ts';
import { parseInvocation } from './command.ts';
import { type CommandLoader, commands, groups, lookUp } from './commands.ts';
import { createContext, type GlobalOptions } from './context.ts';
import { bool, list, parseFlags, text } from './flags.ts';

/** The flags that may stand before the command. */
export const globalFlags = {
  config: text('Location of client config files'),
  context: text('Name of the context to use: there is none but "default"', { short: 'c' }),
  debug: bool('Enable debug mode', { short: 'D' }),
  host: list('Daemon socket to connect to', { short: 'H' }),
  'log-level': text('Set the logging level ("debug", "info", "warn", "error", "fatal")', {
    short: 'l',
    initial: 'info',
  }),
  tls: bool('Use TLS; implied by --tlsverify'),
  tlscacert: text('Trust certs signed only by this CA'),
  tlscert: text('Path to TLS certificate file'),
  tlskey: text('Path to TLS key file'),
  tlsverify: bool('Use TLS and verify the remote'),
  version: bool('Print version information and quit', { short: 'v' }),
};

interface Found {
  /** The words that were said: `container ls`. */
  readonly path: string;
  readonly load: CommandLoader;
  readonly argv: readonly string[];
}

/** Runs one command line; sets the exit code of the process. */
export async function runCli(argv: readonly string[]): Promise<void> {
  endWithOutput();
  try {
    process.exitCode = await dispatch(argv);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  let globals: ReturnType<typeof parseGlobals>;
  try {
    globals = parseGlobals(argv);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    process.stderr.write(
      `${error.message}\n\nUsage:  gantry [OPTIONS] COMMAND [ARG...]\n\nRun 'gantry --help' for more information\n`,
    );
    return 125;
  }
  const [first, ...rest] = globals.args;
  if (globals.values.version) {
    process.stdout.write(`Gantry version ${gantryVersion}\n`);
    return 0;
  }
  const level = globals.values['log-level'];
  if (logLevelOf(level) === undefined) {
    process.stderr.write(`Unable to parse logging level: ${level}\n`);
    return 1;
  }
  if (first === undefined) return (await help()).showGeneralHelp(globalFlags);
  if (first === 'help') return (await help()).showHelpOf(rest, globalFlags);
  if (first === '__complete') return completeLine(rest);
  const found = find(globals.args);
  if (found === undefined) {
    const group = lookUp(groups, first);
    if (group !== undefined && (rest[0] === undefined || rest[0] === '--help' || rest[0] === '-h')) {
      return (await help()).showHelpOf([first], globalFlags);
    }
    return (await help()).showUnknown(globals.args, group !== undefined);
  }
  return invoke(found, globalOptions(globals.values));
}

/** A line that is to be completed may have flags before its command, too. */
async function completeLine(words: readonly string[]): Promise<number> {
  const { complete } = await import('./completion/complete.ts');
  const { args, values } = parseGlobals(words.slice(0, -1));
  return complete([...args, words.at(-1) ?? ''], createContext(globalOptions(values)), globalFlags);
}

const help = () => import('./general-help.ts');

function parseGlobals(argv: readonly string[]) {
  return parseFlags(globalFlags, argv, { interspersed: false });
}

function globalOptions(values: ReturnType<typeof parseGlobals>['values']): GlobalOptions {
  const host = values.host.at(-1);
  if (host !== undefined && values.context !== '') {
    throw new EngineError('invalidArgument', 'conflicting options: cannot specify both --host and --context');
  }
  return {
    tls: values.tls,
    tlsVerify: values.tlsverify,
    ...(host === undefined ? {} : { host: host.includes('://') ? host : `tcp://${host}` }),
    context: values.context,
    dockerConfig: values.config,
    ...(values.tlscacert === '' ? {} : { tlsCaCert: values.tlscacert }),
    ...(values.tlscert === '' ? {} : { tlsCert: values.tlscert }),
    ...(values.tlskey === '' ? {} : { tlsKey: values.tlskey }),
  };
}

function find(words: readonly string[]): Found | undefined {
  const [first = '', second] = words;
  const length = second !== undefined && lookUp(groups, first) !== undefined ? 2 : 1;
  const path = words.slice(0, length).join(' ');
  const load = lookUp(commands, path);
  return load === undefined ? undefined : { path, load, argv: words.slice(length) };
}

async function invoke({ path, load, argv }: Found, options: GlobalOptions): Promise<number> {
  const command = await load();
  let invocation: ReturnType<typeof parseInvocation>;
  try {
    invocation = parseInvocation(command, path, argv);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const { usageLines } = await import('./help.ts');
    process.stderr.write(
      `${error.message}\n\n${usageLines(path, command)}\n\nRun 'gantry ${path} --help' for more information\n`,
    );
    return 125;
  }
  if (invocation.complaint !== undefined) {
    const hint = command.maxArgs === undefined ? 'See' : 'Run';
    const { usageLines } = await import('./help.ts');
    process.stderr.write(
      `${invocation.complaint}\n\n${usageLines(path, command)}\n\n${hint} 'gantry ${path} --help' for more information\n`,
    );
    return 1;
  }
  if (invocation.help) {
    const { commandHelp } = await import('./help.ts');
    process.stdout.write(commandHelp(path, command, process.stdout.columns || 80));
    return 0;
  }
  await using context = createContext(options);
  try {
    return (await command.run({ ...invocation, context })) ?? 0;
  } catch (error) {
    if (isAbortError(error)) return 130;
    const { tellError } = await import('./tell-error.ts');
    return tellError(error, command, path);
  }
}

/** `gantry ps | head -1`: a reader that went away is no failure, a full disk is. */
function endWithOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
      process.stderr.write(`${messageOf(error)}\n`);
      process.exit(1);
    });
  }
}
