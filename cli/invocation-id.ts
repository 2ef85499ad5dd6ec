import { InvalidArgumentError } from 'commander';
import { Uuid } from '../protocol/ids.js';

/** Reads an argument that names an invocation. @throws {InvalidArgumentError} */
export function parseInvocationId(text: string): string {
  const id = Uuid.safeParse(text);
  if (!id.success) throw new InvalidArgumentError('It must be an id as muster run and muster invocations print it.');
  return id.data;
}
