export { createLogReader } from './logs/log-reader.ts';
export type * from './oci-runtime.ts';
export { createRuncRuntime } from './runc/runtime.ts';
export type * from './spec.ts';
