export { assertEndpointSettings } from './check-settings.ts';
export { createNetworks } from './create-networks.ts';
export { splitLink } from './dns/names.ts';
export { resolverAddress } from './dns/redirect.ts';
export { askedSettings } from './endpoint-settings.ts';
export * from './files.ts';
export { readHostResolvConf, readPlainResolvConf } from './host-resolv-conf.ts';
export { probeNetworkPrograms } from './kernel.ts';
export type * from './networks.ts';
