const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface EnvironmentInput {
  readonly hostname: string;
  readonly tty: boolean;
  /** The container's own: image's, then user's. */
  readonly env: readonly string[];
  /** Of an exec, last. */
  readonly execEnv?: readonly string[];
}

/** A process's environment but HOME, which the runtime adds from the container's /etc/passwd. */
export function createEnvironment(input: EnvironmentInput): string[] {
  const base = [defaultPath, `HOSTNAME=${input.hostname}`, ...(input.tty ? ['TERM=xterm'] : [])];
  return overrideEnv(overrideEnv(base, input.env), input.execEnv ?? []);
}

/** A later entry replaces its key in place; one without `=` removes it. */
export function overrideEnv(base: readonly string[], changes: readonly string[]): string[] {
  const entries = new Map(base.map((entry) => [keyOf(entry), entry]));
  for (const change of changes) {
    if (change.includes('=')) entries.set(keyOf(change), change);
    else entries.delete(change);
  }
  return [...entries.values()];
}

function keyOf(entry: string): string {
  const equals = entry.indexOf('=');
  return equals === -1 ? entry : entry.slice(0, equals);
}
