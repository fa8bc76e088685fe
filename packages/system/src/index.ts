/** What controller and agent both ask of the operating system: commands that end, files that outlive a power cut, and memory that goes
 * back. */
export {
  errno,
  type FileOwner,
  linkDurable,
  makeDirectoryDurable,
  readFileIfAny,
  syncDirectory,
  writeFileDurable,
} from './durable-file.ts';
export { type ExecOptions, type ExecResult, exec, logOf } from './exec.ts';
export { type KeepSmallOptions, keepSmall } from './memory.ts';
