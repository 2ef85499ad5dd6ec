import { InvalidArgumentError } from 'commander';

/**
 * `--max-calls` of a grant.
 * @throws {InvalidArgumentError}
 */
export function parseBudget(text: string): number {
  if (/^[1-9][0-9]{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a positive integer.');
}
