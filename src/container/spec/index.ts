export { hostDevices, resolveDevices } from './devices.ts';
export { assertPropagation, type ContainerFiles, depthOf } from './mounts.ts';
export { joinedContainer, type NamespacePaths } from './namespaces.ts';
export { apparmorProfileOf, createExecProcess } from './process.ts';
export { createResources, resolveBlockIo } from './resources.ts';
export { SeccompProfiles } from './seccomp.ts';
export { createSpec, type SpecInput } from './spec.ts';
