import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestScope } from './broker.js';

/** An empty directory that is removed after the test. */
export function temporaryDirectory(t: TestScope): string {
  const directory = mkdtempSync(join(tmpdir(), 'muster-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
