/** Whether a node is on the machine that it was set up on. */

/**
 * The address to which the node moved; undefined when it is where it was. A provider knows its own machines by UUID. Of a
 * machine of the user's own there is nothing but the address that the file gives it: another one may be another machine.
 */
export function movedTo(
  record: { address: string | undefined } | undefined,
  found: { uuid: string | undefined; address: string },
): string | undefined {
  if (found.uuid !== undefined || record?.address === undefined) return undefined;
  return found.address === record.address ? undefined : found.address;
}
