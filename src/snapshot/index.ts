export { archivePath } from './archive/archive-path.ts';
export { statPath } from './archive/stat-path.ts';
export { unpackInto } from './archive/unpack-into.ts';
export * from './open.ts';
export { initLayerPaths } from './overlay/init-layer.ts';
export type * from './snapshotter.ts';
export { treeUsage } from './tree-usage.ts';
