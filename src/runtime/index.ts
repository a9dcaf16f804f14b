export { createLogFiles } from './logs/log-files.ts';
export { createLogReader } from './logs/log-reader.ts';
export type * from './oci-runtime.ts';
export type * from './rotation.ts';
export { createRuncRuntime } from './runc/runtime.ts';
export type * from './spec.ts';
