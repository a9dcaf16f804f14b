export type * from './containers.ts';
export { type ContainerServices, createContainers, openContainerStore } from './create-containers.ts';
export { type HostFacts, probeHost } from './host-facts.ts';
