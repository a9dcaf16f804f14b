const http = require('node:http');
const ms = require('ms');

const started = Date.now();

http
  .createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify({ hello: 'world', up: ms(Date.now() - started) })}\n`);
  })
  .listen(Number(process.env.PORT));

process.on('SIGTERM', () => process.exit(0));
