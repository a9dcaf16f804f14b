export { applyChanges } from './apply-changes.ts';
export { createImages } from './create-images.ts';
export { parseUntil } from './image-filters.ts';
export type * from './images.ts';
