export * from './files.ts';
export { type HostLine, parseHostLine } from './host-line.ts';
export { KNOWN } from './known.ts';
export { type LoadedSet, type LoadOptions, loadServerSet } from './load.ts';
export { fullName, nodeNameProblem } from './node-group.ts';
export { formatProblem, type Place, type Problem } from './problem.ts';
export type { DriverSpec, KeySpec, Known, ServiceSpec } from './schema.ts';
export { type ParsedSize, parseSize } from './size.ts';
export type { ResolvedOption } from './values.ts';
