export * from './engine-config.ts';
