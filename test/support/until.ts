import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const everyMs = 50;

/** Waits for something to become so; fails with `what` once it has waited for so many seconds, the checks not counted. */
export async function until(
  done: () => boolean | Promise<boolean>,
  what: string | (() => string),
  seconds = 20,
): Promise<void> {
  for (let waitedMs = 0; !(await done()); waitedMs += everyMs) {
    if (waitedMs >= seconds * 1000) assert.fail(typeof what === 'string' ? what : what());
    await sleep(everyMs);
  }
}
