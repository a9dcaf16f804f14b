export * from './digest.ts';
export * from './image.ts';
export { type JsonObject, parseJsonObject } from './json-check.ts';
export * from './media-types.ts';
export * from './parse-image.ts';
export * from './platform.ts';
export * from './reference.ts';
