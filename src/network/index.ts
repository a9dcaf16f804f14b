export { createNetworks, type NetworksOptions } from './create-networks.ts';
export * from './files.ts';
export type * from './networks.ts';
export { type Port, type PortProtocol, type PortRange, parsePort, parsePortRange } from './ports.ts';
