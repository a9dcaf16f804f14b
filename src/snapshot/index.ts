export { archivePath } from './archive/archive-path.ts';
export { statPath } from './archive/stat-path.ts';
export { type PlaceInRoot, type UnpackOptions, unpackInto } from './archive/unpack-into.ts';
export * from './open.ts';
export type * from './snapshotter.ts';
