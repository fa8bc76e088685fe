/** `srv_op_state` of a server that gets requests (HAProxy's management guide, "show servers state"). */
const RUNNING = '2';

/** Parses the answer to `show servers state BACKEND`: whether each server is up, by name. */
export function parseServersState(text: string): Record<string, boolean> {
  const rows = text
    .split('\n')
    .filter((line) => /^\d+ /.test(line))
    .map((line) => line.split(' '));
  // Columns: be_id be_name srv_id srv_name srv_addr srv_op_state ...
  return Object.fromEntries(rows.map((row) => [row[3] ?? '', row[5] === RUNNING]));
}
