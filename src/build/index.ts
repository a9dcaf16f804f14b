export type * from './builder.ts';
export { openBuildCache } from './cache/build-cache.ts';
export { createBuilder } from './create-builder.ts';
export { buildExitCode } from './solve/step-failure.ts';
