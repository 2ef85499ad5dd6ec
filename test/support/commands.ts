import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** How a program ended and what it printed. */
export type CommandEnd = Readonly<{ exitCode: number | null; stdout: string; stderr: string }>;

/** The path of a program of this machine; undefined when it is not installed. */
export function findCommand(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/** Runs a program to its end, killed after a minute. A program that fails is a value; one that cannot start throws. */
export function runCommand(file: string, args: readonly string[], cwd?: string): Promise<CommandEnd> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, ...(cwd && { cwd }) });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((ended, failed) => {
    child.once('error', failed);
    child.once('close', (exitCode) => ended({ exitCode, stdout, stderr }));
  });
}
