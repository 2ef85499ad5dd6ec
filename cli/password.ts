import { MusterError } from '../protocol/errors.js';
import type { Io } from './io.js';

/** A password from the terminal, unseen, or else the first line of the standard input. @throws {MusterError} usage */
export async function readPassword({ readSecret }: Pick<Io, 'readSecret'>, prompt: string): Promise<string> {
  const password = await readSecret(prompt);
  if (password === '') throw new MusterError('usage', 'No password came: type it, or pass it on the standard input');
  return password;
}

/** The same, asked for twice on a terminal. @throws {MusterError} usage */
export async function readNewPassword(io: Pick<Io, 'readSecret' | 'stderr' | 'isInteractive'>): Promise<string> {
  const password = await readPassword(io, 'New password (at least 12 characters): ');
  if (!io.isInteractive) return password;
  if ((await io.readSecret('The same again: ')) === password) return password;
  throw new MusterError('usage', 'The two are not the same');
}
