/** Something to wait for until somebody opens it, once. */
export type Gate = Readonly<{ open: () => void; whenOpen: Promise<void> }>;

/** A gate that is closed. */
export function createGate(): Gate {
  let open: () => void = () => undefined;
  const whenOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), whenOpen };
}
