export { applyChanges } from './apply-changes.ts';
export { createImages } from './create-images.ts';
export { countsOf, storeChange } from './image-layers.ts';
export type * from './images.ts';
export { createTransfers, type Transfers } from './transfers.ts';
