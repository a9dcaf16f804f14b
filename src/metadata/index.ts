export type * from './metadata.ts';
export { openMetadata } from './open.ts';
