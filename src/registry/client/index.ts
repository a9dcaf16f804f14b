export { createRegistryClient, type RegistryClientOptions } from './create-client.ts';
export { failureOf, isTransient } from './failure.ts';
export type * from './registry-client.ts';
export { retrying } from './retrying.ts';
