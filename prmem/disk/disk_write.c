/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing a pram disk.
 *
 * Flow of a write of whole pages:
 *	1. take free pages; a page of zeroes needs none, it becomes a hole
 *	2. copy the data with non-temporal stores, compute its CRCs
 *	3. fence: the data is durable
 *	4. exchange the slots, flush them
 *	5. fence: the write is durable, and may be acknowledged
 *	6. retire the pages that were replaced
 * The thread that copied is the thread that fences (a fence drains only its
 * own stores).  A crash before 4 leaves the old pages; between 4 and 5 each
 * page is old or new; what is not reached then is free at the next open.
 *
 * Pages that are new on a reserved disk draw on what was promised to it.  In a
 * full pool pages that replace others come out of what is kept back; when that
 * is not enough for the whole batch, pages are written one by one.
 */
#include <assert.h>
#include <errno.h>

#include "common/crc32c.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/core/guard.h"
#include "prmem/disk/disk.h"
#include "prmem/disk/disk_page.h"
#include "prmem/disk/disk_partial.h"
#include "prmem/instance/reserve.h"
#include "prmem/instance/retire.h"

static_assert(DISK_BATCH_PAGES <= INSTANCE_RETIRE_MAX, "a batch is retired at once");

/* The same for consecutive indices; at most DISK_BATCH_PAGES.  Return: how many of them had nothing. */
static uint32_t
account_batch(struct prmem_instance *inst, uint32_t idx, uint32_t nr, const xa_entry_t *old, const xa_entry_t *new)
{
	uint32_t nr_new = 0, nr_gone = 0;

	for (uint32_t i = 0; i < nr; i++) {
		bool was_there = old[i] != 0 && xa_entry_kind(old[i]) != XA_KIND_BAD;

		nr_new += !was_there && new[i] != 0;
		nr_gone += was_there && new[i] == 0;
	}
	if (nr_new != nr_gone)
		atomic_fetch_add_explicit(&inst->nr_entries, (uint64_t)nr_new - nr_gone, memory_order_relaxed);
	if (nr_gone > 0)
		instance_repromise(inst, nr_gone);
	instance_retire_pages(inst, idx, old, nr);
	return nr_new;
}

static int
write_one_by_one(struct prmem_instance *inst, uint32_t idx, uint32_t nr, const char *buf)
{
	for (uint32_t i = 0; i < nr; i++) {
		int r = disk_write_page(inst, idx + i, buf + (size_t)i * PRMEM_PAGE_SIZE);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Copy the pages that are not zero to those that were taken, and make their entries.  Context: in a window. */
static void
copy_pages(struct prmem_instance *inst, uint32_t idx, uint32_t nr, const char *buf, const uint32_t *pfns,
	   xa_entry_t *entries)
{
	struct prmem_pool *pool = inst->pool;

	for (uint32_t i = 0; i < nr; i++) {
		const char *src = buf + (size_t)i * PRMEM_PAGE_SIZE;

		if (entries[i] == 0)
			continue;
		guard_at(*pfns);
		pm_copy(pool->pm, pool_page(pool, *pfns), src, PRMEM_PAGE_SIZE, PM_SITE_PAGE_COPY);
		page_prefetch_next(pool->pages);
		/* Behind the copy: it has brought the source near, and its stores drain meanwhile. */
		entries[i] = disk_page_entry(inst, idx + i, *pfns, src);
		pfns++;
	}
}

/* Where pages are written and nothing is. */
static uint32_t
nr_empty(struct prmem_instance *inst, uint32_t idx, uint32_t nr, const xa_entry_t *entries)
{
	uint32_t nr_new = 0;

	for (uint32_t i = 0; i < nr; i++)
		nr_new += entries[i] != 0 && xa_load(&inst->xa, idx + i) == 0;
	return nr_new;
}

/* Draw up to @nr pages of a reserved disk's promise.  Return: how many. */
static uint32_t
draw_promise(struct prmem_instance *inst, uint32_t nr)
{
	int64_t left = atomic_load(&inst->promised), drawn;

	do
		drawn = MAX(0, MIN((int64_t)nr, left));
	while (drawn > 0 && !atomic_compare_exchange_weak(&inst->promised, &left, left - drawn));
	return (uint32_t)drawn;
}

/* The pages that a batch needs. */
struct batch_pages {
	uint32_t pfns[DISK_BATCH_PAGES];
	uint32_t nr;
	uint32_t nr_drawn; /* of them, from the disk's promise */
};

/* Return: 0; -ENOSPC when they are to be tried one by one; -EIO, -EROFS. */
static int
take_batch(struct prmem_instance *inst, uint32_t idx, uint32_t nr, const xa_entry_t *entries, struct batch_pages *pages)
{
	struct page_alloc *alloc = inst->pool->pages;
	uint32_t rest = pages->nr;
	int r;

	if (UNLIKELY(atomic_load_explicit(&inst->promised, memory_order_relaxed) > 0)) {
		uint32_t nr_drawn = draw_promise(inst, nr_empty(inst, idx, nr, entries));

		r = page_take(alloc, PAGE_USE_PROMISED, nr_drawn, pages->pfns);
		if (r < 0) {
			atomic_fetch_add(&inst->promised, nr_drawn);
			return r;
		}
		pages->nr_drawn = nr_drawn;
		rest -= nr_drawn;
	}
	r = page_take(alloc, PAGE_USE_NEW, rest, pages->pfns + pages->nr_drawn);
	/* What is kept back is for those that replace a page each. */
	if (UNLIKELY(r == -ENOSPC) && nr_empty(inst, idx, nr, entries) == pages->nr_drawn)
		r = page_take(alloc, PAGE_USE_REPLACE, rest, pages->pfns + pages->nr_drawn);
	if (r < 0) {
		/* First, so that nobody takes them in between. */
		instance_repromise(inst, pages->nr_drawn);
		page_untake(alloc, pages->pfns, pages->nr_drawn);
	}
	return r;
}

/*
 * The same with the window around it; @entries come as 0 or 1.
 * Return: 0; -EIO when a page's memory is bad: all others have been given back.
 */
static int
fill_pages(struct prmem_instance *inst, uint32_t idx, uint32_t nr, const char *buf, const struct batch_pages *pages,
	   xa_entry_t *entries)
{
	struct prmem_pool *pool = inst->pool;
	struct guard_window window;

	if (GUARD_ENTER(&window, pool) == 0) {
		copy_pages(inst, idx, nr, buf, pages->pfns, entries);
		guard_leave();
		return 0;
	}
	bad_page_note(pool, window.pfn);
	instance_repromise(inst, pages->nr_drawn);
	for (uint32_t t = 0; t < pages->nr; t++) {
		if (pages->pfns[t] != window.pfn)
			page_untake(pool->pages, &pages->pfns[t], 1);
	}
	return -EIO;
}

/* At most DISK_BATCH_PAGES whole pages, with two fences in all. */
static int
write_batch(struct prmem_instance *inst, uint32_t idx, uint32_t nr, const char *buf)
{
	struct prmem_pool *pool = inst->pool;
	xa_entry_t entries[DISK_BATCH_PAGES], old[DISK_BATCH_PAGES];
	struct batch_pages pages;
	struct xa_ahead ahead;
	uint32_t nr_new = 0;
	int64_t done;
	int r;

	if (nr == 0)
		return 0;
	/* Else the exchange, between two fences, would wait for it alone. */
	xa_look_ahead(&inst->xa, idx, &ahead);
	pages.nr = pages.nr_drawn = 0;
	for (uint32_t i = 0; i < nr; i++) {
		entries[i] = mem_is_zero(buf + (size_t)i * PRMEM_PAGE_SIZE, PRMEM_PAGE_SIZE) ? 0 : 1;
		pages.nr += (uint32_t)entries[i];
	}
	if (pages.nr > 0) {
		r = take_batch(inst, idx, nr, entries, &pages);
		if (r == -ENOSPC)
			return write_one_by_one(inst, idx, nr, buf);
		if (r < 0)
			return r;
		if (fill_pages(inst, idx, nr, buf, &pages, entries) < 0)
			return write_one_by_one(inst, idx, nr, buf);
		pm_fence(pool->pm, PM_SITE_PAGE_FENCE);
	}

	/*
	 * The publishing stores are in here.  Durable before them: the pages.
	 * A crash right after one of them leaves that page old or new.
	 */
	done = xa_exchange_ahead(&inst->xa, &ahead, idx, nr, entries, old);
	if (done > 0)
		nr_new = account_batch(inst, idx, (uint32_t)done, old, entries);
	/* Where another writer was quicker, a page was there after all. */
	if (UNLIKELY(pages.nr_drawn > nr_new))
		instance_repromise(inst, pages.nr_drawn - nr_new);
	for (uint32_t i = (uint32_t)MAX(done, 0); i < nr; i++) {
		if (entries[i] != 0)
			page_untake(pool->pages, &(uint32_t){xa_entry_payload(entries[i])}, 1);
	}
	if (done < 0)
		return done == -ENOSPC ? write_one_by_one(inst, idx, nr, buf) : (int)done;
	if (done < nr)
		return write_one_by_one(inst, idx + (uint32_t)done, nr - (uint32_t)done,
					buf + (size_t)done * PRMEM_PAGE_SIZE);
	return 0;
}

static int
write_range(struct prmem_disk *disk, const char *p, size_t len_bytes, uint64_t off)
{
	int r = disk_check_write(disk, len_bytes, off);

	while (r == 0 && len_bytes > 0) {
		struct disk_part part = disk_part_at(off, len_bytes);
		uint64_t n = part.len_bytes;

		if (part.len_bytes < PRMEM_PAGE_SIZE) {
			r = disk_write_part(disk, &part, p);
		} else {
			uint64_t nr = MIN(len_bytes >> PRMEM_PAGE_SHIFT, DISK_BATCH_PAGES - part.idx % DISK_BATCH_PAGES);

			r = write_batch(disk->inst, part.idx, (uint32_t)nr, p);
			n = nr << PRMEM_PAGE_SHIFT;
		}
		p += n;
		off += n;
		len_bytes -= n;
	}
	return disk_result(disk, r);
}

int
prmem_disk_write(struct prmem_disk *disk, const void *buf, size_t len_bytes, uint64_t off)
{
	struct stats_request request = disk_stats_begin(disk, STATS_WRITE, len_bytes);
	int r = write_range(disk, buf, len_bytes, off);

	stats_end(&request, len_bytes, r);
	return r;
}
