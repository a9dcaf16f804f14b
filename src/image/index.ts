export { applyChanges } from './apply-changes.ts';
export { createImages } from './create-images.ts';
export type * from './images.ts';
