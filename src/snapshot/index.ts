export type * from './snapshotter.ts';
