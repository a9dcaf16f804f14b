export type * from './oci-runtime.ts';
export type * from './spec.ts';
