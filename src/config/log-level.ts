const levels: Readonly<Record<string, string>> = {
  panic: 'fatal',
  fatal: 'fatal',
  error: 'error',
  warn: 'warn',
  warning: 'warn',
  info: 'info',
  '': 'info',
  debug: 'debug',
  trace: 'trace',
};

/** The logger's word for a level of Docker's, which is in either case. */
export function logLevelOf(said: string): string | undefined {
  const level = said.toLowerCase();
  return Object.hasOwn(levels, level) ? levels[level] : undefined;
}
