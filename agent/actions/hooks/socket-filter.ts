/** What of the system call numbers differs from machine to machine (linux/audit.h, asm/unistd.h). */
type Abi = Readonly<{ audit: number; socket: number; socketpair: number; hasX32?: boolean }>;

const ABIS: readonly Abi[] = [
  { audit: 0xc000003e, socket: 41, socketpair: 53, hasX32: true }, // x86_64
  { audit: 0xc00000b7, socket: 198, socketpair: 199 }, // aarch64
  { audit: 0x40000028, socket: 281, socketpair: 288 }, // arm
  { audit: 0xc00000f3, socket: 198, socketpair: 199 }, // riscv64
];

/** The same everywhere. What comes through a ring passes by every filter, sockets among it. */
const IO_URING_SETUP = 425;
/** Numbers of the second ABI of x86_64 have this bit. */
const X32_BIT = 0x40000000;

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
/** The rest of the type are flags. */
const SOCK_TYPE_MASK = 0xf;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** Where struct seccomp_data has its fields; of arguments, which are 64 bits wide, the lower half. */
const NUMBER = 0;
const ARCH = 4;
const FIRST = 16;
const SECOND = 24;

/** One instruction of classic BPF: code, jump if true, jump if false, operand (linux/filter.h). */
type Instruction = readonly [code: number, jt: number, jf: number, k: number];

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const and = (mask: number): Instruction => [0x54, 0, 0, mask];
const ALLOW: Instruction = [0x06, 0, 0, 0x7fff0000];
const refuse = (errno: number): Instruction => [0x06, 0, 0, 0x00050000 | errno];
const when = (value: number, then: readonly Instruction[]): Instruction[] => [[0x15, 0, then.length, value], ...then];
const whenAtLeast = (value: number, then: readonly Instruction[]): Instruction[] => [
  [0x35, 0, then.length, value],
  ...then,
];

/**
 * A seccomp program that keeps its processes from reaching any socket outside of their network namespace, as bubblewrap
 * reads it. A namespace holds IP and netlink; Unix sockets that are files, and machines below or beside (vsock), it does
 * not. Pairs of connected sockets stay, which programs make for themselves; a pair of datagram sockets does not, since
 * such a one can be pointed elsewhere. A kind of program that is not known here cannot do anything: it does not start.
 */
export function socketFilter(): Buffer {
  const program = [load(ARCH), ...ABIS.flatMap((abi) => when(abi.audit, callsOf(abi))), refuse(ENOSYS)];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, jt, jf, k]] of program.entries()) {
    const at = index * 8;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(jt, at + 2);
    bytes.writeUInt8(jf, at + 3);
    bytes.writeUInt32LE(k, at + 4);
  }
  return bytes;
}

function callsOf({ socket, socketpair, hasX32 = false }: Abi): Instruction[] {
  return [
    load(NUMBER),
    ...(hasX32 ? whenAtLeast(X32_BIT, [refuse(ENOSYS)]) : []),
    ...when(IO_URING_SETUP, [refuse(ENOSYS)]),
    ...when(socket, [load(FIRST), ...onlyFor([AF_INET, AF_INET6, AF_NETLINK])]),
    ...when(socketpair, [load(SECOND), and(SOCK_TYPE_MASK), ...onlyFor([SOCK_STREAM, SOCK_SEQPACKET])]),
    ALLOW,
  ];
}

function onlyFor(values: readonly number[]): Instruction[] {
  return [...values.flatMap((value) => when(value, [ALLOW])), refuse(EAFNOSUPPORT)];
}
