/** What controller and agent both ask of the operating system: commands that end, files that outlive a power cut, memory that goes
 * back, room on disks, and images that it can mount. */
export { blobKey, blobPath, isBlobKey } from './blob-keys.ts';
export { type DiskSpace, freeSpace, isOutOfSpace } from './disk.ts';
export {
  errno,
  exists,
  type FileOwner,
  linkDurable,
  makeDirectoryDurable,
  readFileIfAny,
  removeTemporaries,
  removeTemporariesOf,
  syncPath,
  writeFileDurable,
} from './durable-file.ts';
export {
  BLOCK,
  changeOwners,
  erofsMetadata,
  type ImageEntry,
  inodesOf,
  isSuperblock,
  MAX_SIZE,
  SUPERBLOCK_AT,
  SUPERBLOCK_SIZE,
} from './erofs.ts';
export { type ExecOptions, type ExecResult, exec, giveUp } from './exec.ts';
export {
  access,
  chmod,
  chown,
  copyFile,
  mkdir,
  OpenFile,
  open,
  readdir,
  readFile,
  readlink,
  readPieces,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  symlink,
  writeFile,
} from './files.ts';
export { logOf, newestLines } from './log.ts';
export { createSweep, type KeepSmallOptions, keepSmall } from './memory.ts';
export { foldersOf, isConfig, modeOf, ownerOf, type TreeOwners } from './release-entries.ts';
export {
  imageEntries,
  indexLine,
  LISTING,
  ownerOfSymbol,
  type Packed,
  parseIndexLine,
  SYMBOLIC_OWNERS,
} from './release-image.ts';
