/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Removing a disk, with or without wiping what it held.
 *
 * Flow of a removal with a wipe:
 *	1. publish the record with RECORD_FLAG_REMOVED: nobody finds it any
 *	   more, here or after a crash; its pages stay in use
 *	2. wait for those who read it just now
 *	3. overwrite its pages with zeroes, fence
 *	4. remove it like any other; now its pages are free
 * A crash behind 1 leaves a record that the next writable open goes on with at 3.
 */
#include "prmem/disk/disk_remove.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/low_space.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_refs.h"
#include "prmem/core/guard.h"
#include "prmem/core/notice.h"
#include "prmem/format/buffer_format.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/record.h"
#include "prmem/memory/error.h"
#include "prmem/object/object.h"

#define PROGRESS_STEP 256u /* objects between two calls of progress() */

struct wipe {
	struct prmem_instance *inst;
	int (*progress)(void *opaque, uint64_t done, uint64_t total);
	void *opaque;
	uint64_t done;
};

/* Overwrite a page, or a part of it.  What cannot be written is bad, and put aside. */
static void
wipe_page(struct prmem_pool *pool, uint32_t pfn, uint32_t start, uint32_t len_bytes)
{
	static const char zeroes[PRMEM_PAGE_SIZE];
	struct guard_window window;

	if (GUARD_ENTER(&window, pool) != 0) {
		bad_page_note(pool, window.pfn);
		return;
	}
	guard_at(pfn);
	pm_copy(pool->pm, (char *)pool_page(pool, pfn) + start, zeroes, len_bytes, PM_SITE_WIPE_COPY);
	guard_leave();
}

/* Does nobody else have it: another slot, or a loan? */
static bool
is_alone(struct prmem_pool *pool, xa_entry_t entry)
{
	uint64_t key = xa_entry_payload(entry);

	if (xa_entry_kind(entry) == XA_KIND_RUN)
		key = (uint64_t)object_run_pfn(xa_entry_payload(entry)) << BUFFER_GRANULE_SHIFT;
	else if (xa_entry_kind(entry) == XA_KIND_PAGE)
		key <<= BUFFER_GRANULE_SHIFT;
	return page_refs_nr(pool->refs, key) == 0;
}

static void
wipe_entry(struct prmem_pool *pool, xa_entry_t entry)
{
	uint32_t pfn, nr, header = sizeof(struct buffer_media);
	struct object obj;

	if (entry == 0 || xa_is_err(entry) || !is_alone(pool, entry) ||
	    object_of_slot(pool, xa_entry_kind(entry), xa_entry_payload(entry), &obj) < 0 ||
	    !pool_pfn_of(pool, obj.start, &pfn))
		return;
	if (obj.kind == XA_KIND_BUFFER) {
		/* The header says how long it is until it is free. */
		uint32_t start = xa_entry_payload(entry) % BUFFER_GRANULES_PER_PAGE * BUFFER_GRANULE_BYTES;

		wipe_page(pool, pfn, start + header, (uint32_t)obj.len_bytes - header);
		return;
	}
	nr = (uint32_t)(obj.len_bytes >> PRMEM_PAGE_SHIFT);
	for (uint32_t i = 0; i < nr; i++)
		wipe_page(pool, pfn + i, 0, PRMEM_PAGE_SIZE);
}

/*
 * Step 3.  Return: 0, -ECANCELED.
 * Context: nobody reads or stores in the array.
 */
static int
wipe(struct wipe *w)
{
	struct prmem_instance *inst = w->inst;
	struct prmem_pool *pool = inst->pool;
	uint64_t total = atomic_load(&inst->nr_entries);
	xa_entry_t entry;
	uint32_t idx;

	wipe_entry(pool, le64_to_cpu(inst->rec.data));
	xa_for_each (&inst->xa, idx, entry) {
		if (w->done % PROGRESS_STEP == 0 && w->progress != NULL &&
		    w->progress(w->opaque, w->done, MAX(total, w->done)) != 0)
			return -ECANCELED;
		wipe_entry(pool, entry);
		w->done++;
	}
	/* Durable behind this: the zeroes.  Only then the pages may become free. */
	pm_fence(pool->pm, PM_SITE_WIPE_FENCE);
	return page_sync(pool->pages);
}

int
instance_finish_removal(struct prmem_instance *inst)
{
	struct wipe w = {.inst = inst};
	int r;

	if ((le32_to_cpu(inst->rec.flags) & RECORD_FLAG_REMOVED) == 0)
		return instance_remove_locked(inst, NULL);
	pool_notice(inst->pool, "pool %.200s: going on with wiping disk %s, which was removed", inst->pool->path,
		    inst->rec.name);
	r = wipe(&w);
	return r < 0 ? r : instance_remove_locked(inst, NULL);
}

/* Step 1.  Context: inst_lock. */
static int
publish_removed(struct prmem_instance *inst)
{
	struct record_media rec;
	int r;

	atomic_store(&inst->removed, true);
	xa_set_end(&inst->xa, 0);
	pthread_mutex_lock(&inst->pool->dir->rec_lock);
	rec = inst->rec;
	rec.flags = cpu_to_le32(le32_to_cpu(rec.flags) | RECORD_FLAG_REMOVED);
	r = instance_publish(inst, &rec);
	pthread_mutex_unlock(&inst->pool->dir->rec_lock);
	if (r < 0) {
		xa_set_end(&inst->xa, UINT64_C(1) << XA_INDEX_BITS);
		atomic_store(&inst->removed, false);
	}
	return r;
}

/* Steps 2 to 4, for a removal that has been published. */
static int
wipe_and_remove(struct wipe *w, struct prmem_error *err)
{
	struct prmem_instance *inst = w->inst;
	struct prmem_pool *pool = inst->pool;
	int r = page_sync(pool->pages);

	if (r == 0) {
		xa_synchronize();
		r = wipe(w);
	}
	if (r < 0)
		/* The handle is kept: its pages stay in use until the pool is opened again. */
		return error_set(err, r,
				 "disk %s is removed, but not wiped as a whole: %s; the next open of the pool goes on",
				 inst->rec.name, r == -ECANCELED ? "it was interrupted" : strerror(-r));
	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	inst->nr_handles--;
	return instance_remove_locked(inst, err);
}

int
prmem_disk_remove(struct prmem_pool *pool, const char *name, unsigned int flags,
		  int (*progress)(void *opaque, uint64_t done, uint64_t total), void *opaque, struct prmem_error *err)
{
	struct wipe w = {.progress = progress, .opaque = opaque};
	int r;

	{
		LOCK_FOR_SCOPE(&pool->dir->inst_lock);
		w.inst = instance_find_locked(pool->dir, PRMEM_SUBSYSTEM_RAMDISK, name);
		if (w.inst == NULL)
			return error_set(err, -ENOENT, "pool %s: there is no disk %s", pool->path, name);
		if (pool_is_read_only(pool))
			return error_set(err, -EROFS, "pool %s is read-only: cannot remove %s", pool->path, name);
		if (w.inst->nr_handles > 0 && (flags & PRMEM_REMOVE_FORCE) == 0)
			return error_set(err, -EBUSY, "disk %s is in use; detach its clients, or force it", name);
		if ((flags & PRMEM_REMOVE_WIPE) == 0) {
			r = instance_remove_locked(w.inst, err);
		} else {
			r = publish_removed(w.inst);
			if (r < 0)
				return error_set(err, r, "pool %s: cannot remove %s: %s", pool->path, name,
						 strerror(-r));
			w.inst->nr_handles++;
		}
	}
	if ((flags & PRMEM_REMOVE_WIPE) != 0)
		r = wipe_and_remove(&w, err);
	pool_watch_space(pool);
	return r;
}
