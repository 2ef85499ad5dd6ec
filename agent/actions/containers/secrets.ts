/** Stands for what is not shown. */
export const REDACTED = '[redacted]';

/** Parts of names under which programs are given secrets (A-61's are among them), and words that are so alone. */
const SECRET_PARTS = [
  ...['pass(word|wd|phrase|code)', 'secret', 'token', 'credential', 'authorization', 'private', 'webhook'],
  '(api|access|account|encryption|signing|master|storage)_?key',
].join('|');
const SECRET_WORDS = [
  ...['pass', 'key', 'auth', 'pwd', 'pat', 'dsn', 'salt', 'jwt', 'cert', 'otp', 'pin'],
  ...['cookie', 'session', 'signature', 'users'],
].join('|');
const SECRET_NAME = new RegExp(`${SECRET_PARTS}|(^|[_.-])(${SECRET_WORDS})([_.-]|$)`, 'i');

/** `scheme://user:password@host`, and a password alone as Redis takes it. Rather too much of it than too little. */
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@?#]*):\S+@/gi;
/** `password=…` inside a connection string, and `access_token=…` in a query. */
const INNER_SECRET = /(password|pwd|passwd|secret|token|api_?key|accountkey|sharedaccesskey|sig|signature)=[^;&\s]+/gi;
/** `"db_password": "…"`. */
const JSON_SECRET =
  /(["'][\w.-]{0,40}(?:pass|secret|token|api_?key|credential|private)[\w.-]{0,40}["']\s{0,8}:\s{0,8})("(?:[^"\\]|\\.)*"?|[^\s,}]+)/gi;
/** Keys in PEM, JSON Web Tokens, and the marks of the larger providers. */
const SECRET_VALUE =
  /-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[\w-]{8,}\.[\w-]{8,}|\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk-|sk_(live|test)_|AKIA|ASIA|AIza|npm_|hv[sb]\.|mst_|met_)[\w-]{8,}/;

/** What is longer is looked at, and shown, no further: a search takes time that a container must not take from the agent. */
const MAX_LENGTH = 4096;

/** The value as it may be shown to everybody who may read: nothing of it when its name or its looks say secret. */
export function showValue(name: string, value: string): string {
  if (value === '') return value;
  if (SECRET_NAME.test(name) || SECRET_VALUE.test(value.slice(0, MAX_LENGTH))) return REDACTED;
  return value
    .slice(0, MAX_LENGTH)
    .replace(URL_PASSWORD, `$1:${REDACTED}@`)
    .replace(INNER_SECRET, `$1=${REDACTED}`)
    .replace(JSON_SECRET, `$1"${REDACTED}"`);
}

/** `NAME=value` of an environment, so that the value can be shown. */
export function showVariable(assignment: string): string {
  const at = assignment.indexOf('=');
  if (at === -1) return assignment;
  const name = assignment.slice(0, at);
  return `${name}=${showValue(name, assignment.slice(at + 1))}`;
}
