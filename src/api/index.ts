export * from './container.ts';
export * from './events.ts';
export * from './filters.ts';
export * from './image.ts';
export * from './network.ts';
export * from './runs.ts';
export * from './store.ts';
export * from './volume.ts';
