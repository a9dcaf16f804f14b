export { openLocalStorage } from './local/local-storage.ts';
export type * from './storage.ts';
