/** The mark of Muster; the name stands beside it. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 40 40" aria-hidden="true">
      <circle cx="20" cy="20" r="4" />
      <circle cx="20" cy="20" r="10" strokeDasharray="11 5" />
      <circle cx="20" cy="20" r="16" strokeDasharray="19 6" />
    </svg>
  );
}
