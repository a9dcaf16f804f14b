export type * from './content-store.ts';
