import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import type { Machine } from './machine.ts';

/** Makes `socket` here lead to the engine's socket in the machine. Connections break when the machine goes. */
export async function openRelay(machine: Machine, socket: string, engineSocket: string): Promise<Disposable> {
  const children = new Set<ChildProcess>();
  const server = createServer((connection) => {
    const child = machine.open(`exec socat - UNIX-CONNECT:${engineSocket} 2>/dev/null`);
    children.add(child);
    child.stdin.on('error', () => connection.destroy());
    connection.on('error', () => undefined);
    connection.on('close', () => child.kill());
    child.on('exit', () => {
      children.delete(child);
      connection.destroy();
    });
    connection.pipe(child.stdin);
    child.stdout.pipe(connection);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    [Symbol.dispose]: () => {
      server.close();
      for (const child of children) child.kill();
    },
  };
}
