export { loadDefaultProfile } from './apparmor.ts';
export type * from './containers.ts';
export { createContainers, openContainerStore } from './create-containers.ts';
export { type HostFacts, probeHost } from './host-facts.ts';
export { logDriverNames } from './logs/drivers.ts';
export { imageUses } from './record.ts';
export type { ContainerStore } from './store.ts';
