import { BlockList, isIP } from 'node:net';

/** Addresses that are nobody's in public: loopback, link-local, private, and what is kept for special use (RFC 6890). */
const SPECIAL = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
] as const;

/** Global unicast, and what of it leads to IPv4 addresses or is not routed: 6to4, Teredo, documentation. */
const GLOBAL6 = ['2000::/3'] as const;
const SPECIAL6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'] as const;

/** Networks by which addresses are judged. */
export type Networks = Readonly<{ has: (address: string) => boolean }>;

/**
 * Networks in CIDR notation, or single addresses.
 * @throws {RangeError} one of them is neither
 */
export function createNetworks(cidrs: readonly string[]): Networks {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/', 2);
    const family = familyOf(address);
    if (family === undefined) throw new RangeError(`${cidr} is no network`);
    const most = family === 'ipv4' ? 32 : 128;
    const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (!(prefix <= most)) throw new RangeError(`${cidr} is no network`);
    list.addSubnet(address, prefix, family);
  }
  return {
    has(address) {
      const family = familyOf(address);
      return family !== undefined && list.check(address, family);
    },
  };
}

/** Whether an address is one of the public Internet. IPv4 in IPv6 clothes is not, whichever it is. */
export function createPublicCheck(): (address: string) => boolean {
  const special = createNetworks(SPECIAL);
  const global6 = createNetworks(GLOBAL6);
  const special6 = createNetworks(SPECIAL6);
  return (address) => {
    if (familyOf(address) === 'ipv4') return !special.has(address);
    return global6.has(address) && !special6.has(address);
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}
