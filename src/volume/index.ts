export { createVolumes } from './create-volumes.ts';
export { parseBind } from './specs.ts';
export type * from './volumes.ts';
