/** Something to wait for that the test opens. */
export type Gate = Readonly<{ passed: Promise<void>; open: () => void }>;

/** A gate that is closed. */
export function createGate(): Gate {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}
