import { testOciRuntime } from '../../../test/conformance/oci-runtime.ts';
import { createRuncRuntime } from '../index.ts';

testOciRuntime({ name: 'createRuncRuntime()', open: (run) => createRuncRuntime({ run, program: 'runc' }) });
