export { createNetworks } from './create-networks.ts';
export * from './files.ts';
export type * from './networks.ts';
