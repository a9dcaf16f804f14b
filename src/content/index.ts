export { blobCollector } from './blob-collector.ts';
export type * from './content-store.ts';
export { openContentStore } from './local/local-content-store.ts';
