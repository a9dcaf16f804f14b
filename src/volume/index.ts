export { createVolumes } from './create-volumes.ts';
export { parseBind, parseVolumesFrom } from './specs.ts';
export type * from './volumes.ts';
