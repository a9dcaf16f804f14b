export * from './open.ts';
export type * from './snapshotter.ts';
