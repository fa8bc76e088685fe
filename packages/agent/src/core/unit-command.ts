/** The command of the agent's unit file, `ExecStart=NODE FLAGS BUNDLE`. */

/** What Node is given before the bundle; undefined where the unit starts something else. */
export function flagsOfUnit(unit: string, { node, bundle }: { node: string; bundle: string }): string[] | undefined {
  const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  const [first, ...rest] = command.trim().split(/\s+/);
  const last = rest.pop();
  return first === node && last === bundle ? rest : undefined;
}
