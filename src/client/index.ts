export { type Client, type ClientOptions, createClient } from './client.ts';
export type {
  LogsQuery,
  StdioChunk,
  StdioConnection,
  StopQuery,
  TerminalSize,
  WaitAnswer,
} from './containers.ts';
export type { FilterValues } from './filter-values.ts';
export type { BuildQuery } from './images.ts';
export type { WideObject } from './system.ts';
export { isUnreachable, statusOf } from './transport.ts';
