import { testOciRuntime } from '../../../test/conformance/oci-runtime/index.ts';
import { adoptOrphans } from '../../lib/orphans.ts';
import { createRuncRuntime } from '../index.ts';

// As in the daemon: a process of its own that is the parent of what execs run.

adoptOrphans();
testOciRuntime({
  name: 'createRuncRuntime({ adopts: true })',
  open: (run) => createRuncRuntime({ run, program: 'runc', adopts: true }),
});
