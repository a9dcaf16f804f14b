import type { ContainerState } from '../api/index.ts';

const zeroTimePrefix = '0001-01-01';

/** The STATUS column of `docker ps`: `Up 5 minutes (healthy)`, `Exited (0) 3 hours ago`. [moby daemon/container/state.go] */
export function statusText(state: ContainerState, now: Date): string {
  const since = (time: string) => humanDuration(now.getTime() - Date.parse(time));
  if (state.Restarting) return `Restarting (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
  if (state.Running) {
    const up = `Up ${since(state.StartedAt)}`;
    if (state.Paused) return `${up} (Paused)`;
    const health = state.Health?.Status ?? 'none';
    if (health === 'none') return up;
    return `${up} (${health === 'starting' ? 'health: starting' : health})`;
  }
  if (state.Status === 'removing') return 'Removal In Progress';
  if (state.Dead) return 'Dead';
  if (isZero(state.StartedAt)) return 'Created';
  if (isZero(state.FinishedAt)) return '';
  return `Exited (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
}

function isZero(time: string): boolean {
  return time === '' || time.startsWith(zeroTimePrefix);
}

/** A length of time in words, as Go's units package says it: `About an hour`, `3 weeks`. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const exactHours = ms / 3_600_000;
  const hours = Math.trunc(exactHours + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(Math.trunc(exactHours) / 24 / 365)} years`;
}
