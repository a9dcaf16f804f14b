/**
 * How much the stress tests do. `npm test` runs them small; `npm run stress` sets GANTRY_STRESS=full. Single numbers:
 * GANTRY_STRESS_CONTAINERS=50 and so on.
 */
export const full = process.env['GANTRY_STRESS'] === 'full';

export const size = {
  /** Containers of one round. */
  containers: number('CONTAINERS', full ? 200 : 16),
  /** The daemon's memory is compared from three rounds on. */
  rounds: number('ROUNDS', full ? 5 : 2),
  /** Containers that `ps -a` lists. */
  listed: number('LISTED', full ? 1000 : 100),
  /** Sent through a container's stdin and back. */
  streamMiB: number('STREAM_MIB', full ? 1024 : 96),
  /** Kills of the daemon. */
  kills: number('KILLS', full ? 200 : 24),
  /** Seconds after which a slow machine leaves it at fewer kills. */
  killSeconds: number('KILL_SECONDS', full ? 7200 : 45),
} as const;

function number(name: string, otherwise: number): number {
  const text = process.env[`GANTRY_STRESS_${name}`];
  return text === undefined ? otherwise : Number(text);
}
