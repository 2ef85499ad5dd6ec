import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { endianness } from 'node:os';

/** A wall clock that the test moves while the process runs, made by libfaketime. The monotonic clock stays true. */
export type FakeClock = Readonly<{
  /** For the process whose clock it is. */
  env: Readonly<Record<string, string>>;
  /** So far from the true time, in milliseconds, from now on. */
  shift: (offsetMs: number) => void;
}>;

const LIBRARIES = ['x86_64-linux-gnu', 'aarch64-linux-gnu', 'arm-linux-gnueabihf', 'riscv64-linux-gnu'].map(
  (folder) => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`,
);

/** Why this machine can move no clock; undefined when it can. */
export function lacksFakeClock(): string | undefined {
  if (endianness() !== 'LE') return 'libfaketime was not looked for on this machine';
  return LIBRARIES.some(existsSync) ? undefined : 'moving a clock needs libfaketime';
}

/** A true clock, to be shifted through `file`. */
export function createFakeClock(file: string): FakeClock {
  const shift = (offsetMs: number): void => {
    // Renamed into place: a process that looks meanwhile must not read half a number.
    writeFileSync(`${file}.new`, `${offsetMs < 0 ? '-' : '+'}${Math.abs(offsetMs) / 1000}\n`);
    renameSync(`${file}.new`, file);
  };
  shift(0);
  return {
    env: {
      LD_PRELOAD: LIBRARIES.find(existsSync) ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_RESET: '1',
    },
    shift,
  };
}
