import { appOf, unfinishedOf } from '../../core/release/choices.ts';
import type { InstanceJournal } from '../../core/release/journal.ts';
import { contentsOf, type Listing } from '../../core/release/listing.ts';
import type { Space } from '../../core/release/space.ts';
import type { ReleaseState } from './state.ts';

/** Stops instances and keeps them on disk. They leave the map first, so that nothing is sent to a port that closes. */
export async function halt(state: ReleaseState, instances: readonly string[]): Promise<void> {
  for (const instance of instances) state.unfinished.set(instance, 'stop');
  for (const instance of instances) {
    const journal = state.journals.get(instance);
    if (journal?.state === 'prepared') await state.put({ ...journal, state: 'stopped' } satisfies InstanceJournal);
  }
  await state.ports.units.stop(instances, { remove: false });
  for (const instance of instances) state.unfinished.delete(instance);
}

/** Removes all that there is of instances: maps, journal, processes, units, files. Harmless where there is nothing. */
export async function discard(state: ReleaseState, app: string, instances: readonly string[]): Promise<void> {
  if (instances.length === 0) return;
  for (const instance of instances) state.unfinished.set(instance, 'remove');
  for (const instance of instances) await state.forget(instance);
  // A full disk takes the map as soon as there is room, which this makes; visitors are not sent to what is removed.
  await state.refreshProxy().catch(() => undefined);
  await state.ports.units.stop(instances, { remove: true });
  for (const instance of instances) {
    const { env, temp } = state.pathsOf(app, instance);
    await state.ports.places.remove({ env, temp });
    await state.ports.tree.remove(instance, new Set(state.journals.keys()));
  }
  await state.refreshProxy();
  for (const instance of instances) state.unfinished.delete(instance);
}

/** Goes on where stopping and removing failed half-way: on a full disk, say. */
export async function finish(state: ReleaseState): Promise<void> {
  for (const app of new Set([...state.unfinished.keys()].map(appOf))) {
    await state.exclusive(app, async () => {
      const { stop, remove } = unfinishedOf(app, state.unfinished, state.asked);
      await halt(state, stop);
      await discard(state, app, remove);
    });
  }
}

/**
 * Has `check`, which throws E_DISK_FULL, pass. Of deploys that failed all contents are here yet, as the next one mostly has them too:
 * where `free` is too little, they go first.
 */
export async function makeRoom(state: ReleaseState, free: Space, check: (space: Space) => void): Promise<void> {
  try {
    check(free);
  } catch {
    await collectGarbage(state, 'short');
    check(await state.ports.store.space());
  }
}

/** Removes contents that no release here, and none that is offered, is made of; where room is `short`, whoever may come for them. */
export async function collectGarbage(state: ReleaseState, room?: 'short'): Promise<void> {
  const listings: Listing[] = [];
  for (const { instance } of state.all()) {
    const listing = await state.ports.tree.listing(instance);
    // Nobody knows what it needs: rather keep too much.
    if (listing?.isReadable !== true) return;
    listings.push(listing);
  }
  // Last: others may come while lists are read.
  for (const { files } of state.offers.values()) if (files !== undefined) listings.push(files.listing);
  await state.ports.store.collect(contentsOf(listings), room);
}
