import { EngineError } from '../../errors/index.ts';

const forwarded = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGTSTP',
] as const;

/** Sends the signals this command gets to the container. The third interrupt ends this command, if all else fails. */
export function forwardSignals(kill: (signal: string) => Promise<void>): Disposable {
  let interrupts = 0;
  const forward = (signal: NodeJS.Signals) => {
    if (signal === 'SIGINT' || signal === 'SIGTERM') interrupts++;
    if (interrupts >= 3) {
      process.stderr.write('got 3 SIGTERM/SIGINTs, forcefully exiting\n');
      process.exit(1);
    }
    kill(signal).catch((error: unknown) => {
      // It may have ended meanwhile, or not have started yet.
      if (!(error instanceof EngineError)) throw error;
    });
  };
  for (const signal of forwarded) process.on(signal, forward);
  return {
    [Symbol.dispose]() {
      for (const signal of forwarded) process.off(signal, forward);
    },
  };
}
