import { describe, expect, it } from 'vitest';
import { parseSize } from '../config/size.ts';
import { chooseSize } from './choose-size.ts';

const SIZES = [
  { id: 'cx31', name: 'Medium (8 GB)', ram: 8192 },
  { id: 'cx11', name: 'Small (2 GB)', ram: 2048 },
  { id: 'cpx11', name: 'Small AMD (2 GB)', ram: 2048 },
  { id: 'cx21', name: 'Small plus (4 GB)', ram: 4096 },
];

describe('a size', () => {
  it.each([
    ['id cx21', 'cx21'],
    ['id CX21', undefined],
    ['ram 256MB', 'cx11'],
    ['ram 2GB', 'cx11'],
    ['ram 2049', 'cx21'],
    ['ram 8GB', 'cx31'],
    ['ram 9GB', undefined],
    ['name *small*', 'cx11'],
    ['name small amd (? gb)', 'cpx11'],
    ['name small', undefined],
    ['first id none, name Huge*, ram 3GB', 'cx21'],
    ['first id none', undefined],
  ])('%s is %s', (text, id) => {
    const parsed = parseSize(text);
    expect('wish' in parsed ? chooseSize(parsed.wish, SIZES)?.id : parsed).toBe(id);
  });
});
