export * from './cli-config.ts';
export * from './engine-config.ts';
export * from './environment-proxies.ts';
export * from './log-level.ts';
export * from './search-path.ts';
