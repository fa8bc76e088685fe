import type { ErrorCode, SlError } from '@silverlining/protocol';

/** What `sl` exits with; scripts rely on the numbers. */
export const EXIT = { done: 0, failed: 1, wrongInput: 2, refused: 3, interrupted: 130 } as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  E_USAGE: EXIT.wrongInput,
  E_CONFIG: EXIT.wrongInput,
  E_APP_CONFIG: EXIT.wrongInput,
  E_INVALID_NAME: EXIT.wrongInput,
  E_NOT_CONFIRMED: EXIT.refused,
  E_BUSY: EXIT.refused,
};

export function exitStatus({
  error,
  interrupted,
}: {
  error?: SlError | undefined;
  interrupted?: boolean | undefined;
}): number {
  if (interrupted) return EXIT.interrupted;
  return error === undefined ? EXIT.done : (BY_CODE[error.code] ?? EXIT.failed);
}
