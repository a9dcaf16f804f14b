/**
 * A `--until` that has what happened up to now: the docker CLI sends a duration such as `0s` as whole seconds, which
 * leaves out the events of the second that runs.
 */
export function untilNow(): string {
  return String(Math.ceil((Date.now() + 1) / 1000));
}
