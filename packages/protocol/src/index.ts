export * from './errors.ts';
export * from './names.ts';
export * from './server-set.ts';
