import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['protocol', 'runtime', 'broker', 'agent', 'controller', 'cli', 'deploy', 'scripts', 'test'];

/** Every TypeScript file of ours, as a path below the repository, sorted. */
export function sourceFiles(root: string): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      // What npm run bench installs lies below test/bench, and is not ours.
      .filter((file) => /\.tsx?$/.test(file) && !file.includes('node_modules/'))
      .map((file) => `${folder}/${file}`),
  ).sort();
}
