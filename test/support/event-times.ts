import type { TestDaemon } from './daemon.ts';

/**
 * A `--until` that has what happened up to now: the docker CLI sends a duration such as `0s` as whole seconds, which
 * leaves out the events of the second that runs.
 */
export function untilNow(): string {
  return String(Math.ceil((Date.now() + 1) / 1000));
}

/** A line for each prune so far: what kind it was of, and the bytes it told. */
export function prunesOf(engine: TestDaemon): string {
  const format = '{{.Type}} {{.Actor.Attributes.reclaimed}}';
  const range = ['--since', '0', '--until', untilNow()];
  return engine.ok(['events', ...range, '--filter', 'event=prune', '--format', format]);
}

/** What happened to a container so far. */
export function actionsOf(engine: TestDaemon, container: string): string[] {
  const filters = ['--filter', 'type=container', '--filter', `container=${container}`];
  const range = ['--since', '0', '--until', untilNow()];
  return engine.ok(['events', ...range, ...filters, '--format', '{{.Action}}']).split('\n');
}
