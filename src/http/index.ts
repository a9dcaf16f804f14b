export type { TlsFiles } from './listen.ts';
export { createHttpServer } from './server.ts';
