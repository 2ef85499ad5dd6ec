/** Counts open connections, in all and by address, so that one address cannot use up the broker. */
export type ConnectionSlots = Readonly<{
  /** Takes a slot; undefined when there is none. The function that comes back gives it up again, once. */
  take: (address: string) => (() => void) | undefined;
}>;

/** @param limits connections in all and from one address */
export function createConnectionSlots(limits: { total: number; perAddress: number }): ConnectionSlots {
  let total = 0;
  /** Open connections by address. */
  const byAddress = new Map<string, number>();
  return {
    take(address) {
      const used = byAddress.get(address) ?? 0;
      if (total >= limits.total || used >= limits.perAddress) return undefined;
      total += 1;
      byAddress.set(address, used + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        total -= 1;
        const left = (byAddress.get(address) ?? 1) - 1;
        if (left === 0) byAddress.delete(address);
        else byAddress.set(address, left);
      };
    },
  };
}
