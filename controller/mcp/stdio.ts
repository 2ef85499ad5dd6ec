import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { McpBackend } from './backend.js';
import { createMcpServer } from './server.js';

/** A server on standard input and output; `closed` resolves when either side has ended it. */
export type StdioServing = Readonly<{ closed: Promise<void>; close: () => void }>;

/** Answers the program that has started this process, until its end of the pipe closes. */
export function serveMcpOverStdio(backend: McpBackend, onFault: (error: unknown) => void): StdioServing {
  let close = (): void => undefined;
  const closed = new Promise<void>((resolve) => {
    process.stdin.once('end', resolve);
    process.stdin.once('close', resolve);
    const handle = serveStdio(() => createMcpServer(backend, onFault));
    close = () => void handle.close().finally(resolve);
  });
  return { closed, close };
}
