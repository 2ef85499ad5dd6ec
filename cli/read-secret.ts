import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

type Input = NodeJS.ReadStream & { fd: 0 };

/**
 * One line from the input without showing it on the terminal; the prompt goes to stderr, and only when somebody types.
 * Empty at the end of the input.
 */
export async function readSecret(input: Input, stderr: { write: (text: string) => unknown }, prompt: string) {
  const isTyped = input.isTTY === true;
  if (isTyped) stderr.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: isTyped, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    return await new Promise<string>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
    });
  } finally {
    lines.close();
    if (isTyped) stderr.write('\n');
  }
}
