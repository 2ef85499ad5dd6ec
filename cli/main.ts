import { errnoOf } from '../runtime/errno.js';
import { runCommandLine } from './program.js';
import { readLine, readSecret } from './read-line.js';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The `muster` command. */
async function main(): Promise<void> {
  process.stdout.on('error', (error) => {
    if (errnoOf(error) !== 'EPIPE') throw error;
    process.exit(0); // the reader, such as head, has seen enough
  });
  process.exitCode = await runCommandLine(process.argv.slice(2), {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    isInteractive: process.stdin.isTTY === true,
    readLine: (prompt) => readLine(process.stdin, process.stderr, prompt),
    readSecret: (prompt) => readSecret(process.stdin, process.stderr, prompt),
    onInterrupt(listener) {
      for (const signal of STOP_SIGNALS) process.on(signal, listener);
      return () => {
        for (const signal of STOP_SIGNALS) process.off(signal, listener);
      };
    },
  });
}

await main();
