export { collectGarbage } from './gc.ts';
export type * from './metadata.ts';
export { openMetadata } from './open.ts';
export { pruneEvent } from './prune-event.ts';
