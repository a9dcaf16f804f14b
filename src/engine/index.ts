export type * from './engine.ts';
export { type PrunePlanRequest, parsePlan } from './prune/prune-plans.ts';
export { startEngine } from './start.ts';
