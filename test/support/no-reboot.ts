/** What every agent of a test is started with: an ask for a reboot that goes astray must not reach this machine. */
export const NO_REBOOT = '/bin/false';
