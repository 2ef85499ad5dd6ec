import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { sha256Hex } from '../../protocol/envelope.js';
import { errnoOf } from '../../runtime/errno.js';
import type { Logger } from '../../runtime/logger.js';
import { ENCODINGS, type Encoding } from './encodings.js';

/** A file of the dashboard, in each way it is sent. `tag` is for the entity tag, which each of these ways has its own of. */
export type PageFile = Readonly<{ type: string; tag: string; plain: Buffer; packed: ReadonlyMap<Encoding, Buffer> }>;

/** The dashboard in memory: nothing that a request says ever names a file on the disk. */
export type Dashboard = Readonly<{
  /** Undefined when it has not been built. */
  page: PageFile | undefined;
  /** By name below `assets/`. */
  assets: ReadonlyMap<string, PageFile>;
}>;

/** What answers where there is no dashboard. */
export const NO_DASHBOARD: Dashboard = { page: undefined, assets: new Map() };

/** What a page is made of; other files are none of it. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.png', 'image/png'],
  ['.woff2', 'font/woff2'],
]);
/** Those are packed already. */
const PACKED_TYPES: ReadonlySet<string> = new Set(['.png', '.woff2']);

const PACK: Readonly<Record<Encoding, (octets: Buffer) => Promise<Buffer>>> = {
  br: (octets) => promisify(brotliCompress)(octets, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }),
  gzip: (octets) => promisify(gzip)(octets),
};

/**
 * Reads `index.html` and `assets/` of a directory, whole. A controller without them works as well, so that they cannot be
 * read is told in the log and by the address of the page.
 */
export async function readDashboard(directory: string, log: Logger): Promise<Dashboard> {
  try {
    const below = join(directory, 'assets');
    const names = (await readdir(below)).filter((name) => TYPES.has(extname(name)));
    const assets = names.map(async (name) => [name, await readPageFile(join(below, name))] as const);
    return { page: await readPageFile(join(directory, 'index.html')), assets: new Map(await Promise.all(assets)) };
  } catch (err) {
    if (errnoOf(err) !== 'ENOENT') log.warn({ err }, 'dashboard cannot be read');
    return NO_DASHBOARD;
  }
}

async function readPageFile(file: string): Promise<PageFile> {
  const plain = await readFile(file);
  const extension = extname(file);
  const ways = PACKED_TYPES.has(extension) ? [] : ENCODINGS;
  const packed = ways.map(async (encoding) => [encoding, await PACK[encoding](plain)] as const);
  return {
    type: TYPES.get(extension) ?? 'application/octet-stream',
    tag: sha256Hex(plain).slice(0, 32),
    plain,
    packed: new Map(await Promise.all(packed)),
  };
}
