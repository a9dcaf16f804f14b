import { after, before, describe } from 'node:test';
import type { OciRuntime } from '../../../src/runtime/index.ts';
import { testExecs } from './execs.ts';
import { testLifecycle } from './lifecycle.ts';
import { testLogs } from './logs.ts';
import { RuntimeBed } from './runtime-bed.ts';
import { testStreams } from './streams.ts';

export interface OciRuntimeSuite {
  readonly name: string;
  /** A runtime on this directory; called twice on one directory it must find the same containers. */
  readonly open: (run: string) => OciRuntime;
}

/** What every OciRuntime promises. Needs root, cgroups and busybox. */
export function testOciRuntime(suite: OciRuntimeSuite): void {
  describe(suite.name, () => {
    const bed = new RuntimeBed(suite.open);
    before(() => bed.setUp());
    after(() => bed.tearDown());
    testLifecycle(bed);
    testStreams(bed);
    testLogs(bed);
    testExecs(bed);
  });
}
