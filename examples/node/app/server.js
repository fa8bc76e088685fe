import { createServer } from 'node:http';
import { hostname } from 'node:os';

const { PORT, SILVER_INSTANCE_NAME: release } = process.env;

const server = createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`Hello from ${release} on ${hostname()}: ${request.method} ${request.url}\n`);
});

server.listen(Number(PORT), '127.0.0.1');

// The old release gets SIGTERM after the drain: what is in flight is answered first.
process.on('SIGTERM', () => server.close(() => process.exit(0)));
