export type { TlsFiles } from './listen.ts';
export { createHttpServer, type HttpServer } from './server.ts';
