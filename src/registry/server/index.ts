export { collectRegistry } from './collect-command.ts';
export { serveRegistry } from './serve.ts';
