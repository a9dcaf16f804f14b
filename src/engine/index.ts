export type * from './engine.ts';
export { startEngine } from './start.ts';
