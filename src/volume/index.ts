export { createVolumes, type VolumesOptions } from './create-volumes.ts';
export { type BindSpec, parseBind } from './specs.ts';
export type * from './volumes.ts';
