export type * from './builder.ts';
export { type BuilderDependencies, createBuilder } from './create-builder.ts';
export type { ResolveImage } from './solve/build-context.ts';
export { buildExitCode } from './solve/step-failure.ts';
