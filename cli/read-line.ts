import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

type Input = NodeJS.ReadStream & { fd: 0 };
type Prompted = { write: (text: string) => unknown };

/**
 * One line from the input without showing it on the terminal; the prompt goes to stderr, and only when somebody types.
 * Empty at the end of the input.
 */
export async function readSecret(input: Input, stderr: Prompted, prompt: string): Promise<string> {
  const isTyped = input.isTTY === true;
  if (isTyped) stderr.write(prompt);
  try {
    return await nextLine(input, isTyped);
  } finally {
    if (isTyped) stderr.write('\n');
  }
}

/** One line from the input, shown by the terminal itself as it is typed. Empty at the end of the input. */
export function readLine(input: Input, stderr: Prompted, prompt: string): Promise<string> {
  stderr.write(prompt);
  return nextLine(input, false);
}

/** With `isRaw` the terminal shows nothing of what is typed. */
async function nextLine(input: Input, isRaw: boolean): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: isRaw, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    return await new Promise<string>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
    });
  } finally {
    lines.close();
  }
}
