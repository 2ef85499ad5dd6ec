import { randomBytes, randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What marks everything of one run. */
export type Canary = Readonly<{
  /** Digits that stand in the command line of each process that a hook starts. */
  digits: string;
  /** A secret in the agent's environment that no hook, log or store may get to see. */
  secret: string;
}>;

export function createCanary(): Canary {
  return {
    digits: `${randomInt(1e6, 1e7)}${randomInt(1e6, 1e7)}`,
    secret: `canary-${randomBytes(24).toString('hex')}`,
  };
}

/** The files below a directory that hold one of the secrets, as it is or in a common encoding. */
export function findLeaks(directory: string, secrets: readonly string[]): string[] {
  const needles = secrets.flatMap(spellingsOf);
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => {
      const bytes = readFileSync(file);
      return needles.some((needle) => bytes.includes(needle));
    });
}

/** Text, hex, and base64 at each of the three places that it may have in a longer text. */
export function spellingsOf(secret: string): Buffer[] {
  const inBase64 = [0, 1, 2].flatMap((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)]);
    const usable = bytes.subarray(0, bytes.length - (bytes.length % 3));
    const skip = before === 0 ? 0 : 4;
    return [usable.toString('base64').slice(skip), usable.toString('base64url').slice(skip)];
  });
  const hex = Buffer.from(secret).toString('hex');
  return [...new Set([secret, hex, hex.toUpperCase(), ...inBase64])].map((text) => Buffer.from(text));
}
