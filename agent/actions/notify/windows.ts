import { lastLine, runTool } from '../system/tool.js';
import { limited, type Notifier } from './notifier.js';

/** PowerShell has to compile the declaration, which takes seconds on a small machine. */
const WINDOWS_MS = 20_000;

/**
 * A message box in the session at the console, which a service has none of: WTSSendMessageW shows it there and does not
 * wait for an answer. 0x1040 is MB_SYSTEMMODAL (0x1000) with MB_ICONINFORMATION (0x40). Lengths are in bytes.
 */
const SCRIPT = `$ErrorActionPreference = 'Stop'
Add-Type -Namespace Muster -Name Native -MemberDefinition @'
[DllImport("kernel32.dll")] public static extern uint WTSGetActiveConsoleSessionId();
[DllImport("wtsapi32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
public static extern bool WTSSendMessageW(IntPtr server, uint session, string title, uint titleBytes, string text,
  uint textBytes, uint style, uint timeout, out uint response, bool wait);
'@
$title = $env:MUSTER_MESSAGE_TITLE
$text = $env:MUSTER_MESSAGE_TEXT
[uint32]$response = 0
$session = [Muster.Native]::WTSGetActiveConsoleSessionId()
$shown = [Muster.Native]::WTSSendMessageW([IntPtr]::Zero, $session, $title, 2 * $title.Length, $text,
  2 * $text.Length, 0x1040, 0, [ref]$response, $false)
if (-not $shown) { throw (New-Object ComponentModel.Win32Exception) }
`;

/** A system-modal message box (F-56). The texts pass through the environment. Not run on Windows yet. */
export const byMessageBox: Notifier = async ({ title, text }, { tools, signal, limitMs }) => {
  const script = Buffer.from(SCRIPT, 'utf16le').toString('base64');
  const env = { MUSTER_MESSAGE_TITLE: title, MUSTER_MESSAGE_TEXT: text };
  const args = ['-NoProfile', '-NonInteractive', '-EncodedCommand', script];
  const run = await runTool({ file: 'powershell.exe', args, env }, tools, {
    signal: limited({ signal, limitMs: Math.max(limitMs, WINDOWS_MS) }),
  });
  if (run.end.kind === 'exited' && run.end.exitCode === 0)
    return { kind: 'shown', message: 'Message displayed (Windows)', by: 'message box', uids: [] };
  if (run.end.kind === 'not_started') return { kind: 'failed', why: `powershell.exe: ${run.end.errno}` };
  return { kind: 'failed', why: lastLine(run.stderr) || 'powershell.exe failed and gave no reason' };
};
