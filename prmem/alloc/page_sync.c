/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Page cache: making the file durable, and the pages that wait for that.
 *
 * After an operating-system crash the file holds any mixture of what was
 * written since the last sync.  A page replaced since then may still be what
 * the durable slot names, so it is not reused before the next sync: it waits
 * in a set.  A sync exchanges two of them; the pages in the one it started
 * with are free when it has succeeded.
 *
 * A set is a list of runs, and bounded.  Who retires makes a sync when it is
 * half full; the rest is for what others retire meanwhile.  When that is not
 * enough, pages stay in the lanes' lists, and who finds its own full waits.
 * After a sync that failed there is nothing to wait for: pages that find no
 * room stay marked, and the next open finds them free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_internal.h"
#include "prmem/core/notice.h"
#include "prmem/core/pool.h"

/*
 * A 256th of the pages: 16 MiB of memory a TiB for both sets, if each run is
 * one page.  In a smaller pool, enough for 256 MiB between two syncs.
 */
#define WAITING_SHARE 256u
#define WAITING_MIN (128u << 10)

uint32_t
sync_waiting_max(uint64_t nr_pages)
{
	return (uint32_t)MIN(nr_pages, MAX(nr_pages / WAITING_SHARE, WAITING_MIN));
}

struct waiting_run *
sync_new_runs(uint32_t max)
{
	/* Not touched: the system gives memory when it is used. */
	return calloc((size_t)max + WAITING_SPARE, sizeof(struct waiting_run));
}

int
sync_init(struct page_alloc *alloc)
{
	for (unsigned int i = 0; i < alloc->pool->nr_regions; i++)
		alloc->page_cache = alloc->page_cache ||
				    (alloc->pool->regions[i].pm != NULL && !alloc->pool->regions[i].pm->is_pmem);
	if (!alloc->page_cache)
		return 0;
	alloc->waiting_max = sync_waiting_max(alloc->nr_pages);
	for (unsigned int i = 0; i < 2; i++) {
		alloc->waiting[i].runs = sync_new_runs(alloc->waiting_max);
		if (alloc->waiting[i].runs == NULL)
			return -ENOMEM;
	}
	return 0;
}

void
sync_fini(struct page_alloc *alloc)
{
	for (unsigned int i = 0; i < 2; i++)
		free(alloc->waiting[i].runs);
}

static uint32_t
nr_collected(const struct page_alloc *alloc)
{
	unsigned int since = atomic_load_explicit(&alloc->since, memory_order_relaxed);

	return atomic_load_explicit(&alloc->waiting[since].nr_runs, memory_order_relaxed);
}

bool
sync_is_full(const struct page_alloc *alloc)
{
	return alloc->page_cache && nr_collected(alloc) >= alloc->waiting_max && !atomic_load(&alloc->sync_failed);
}

/* With bitmap_lock held, as all that changes it: no atomic addition for each page. */
static void
count_unsynced(struct page_alloc *alloc, uint64_t nr)
{
	uint64_t old = atomic_load_explicit(&alloc->nr_unsynced, memory_order_relaxed);

	atomic_store_explicit(&alloc->nr_unsynced, old + nr, memory_order_relaxed);
}

/* Return: was there room? */
static bool
add_run(struct page_alloc *alloc, uint32_t pfn, uint32_t nr)
{
	struct waiting *set = &alloc->waiting[alloc->since];
	uint32_t nr_runs = nr_collected(alloc);
	struct waiting_run *end = set->runs + nr_runs;

	if (nr_runs > 0 && end[-1].pfn + end[-1].nr == pfn) {
		end[-1].nr += nr;
	} else {
		if (nr_runs >= alloc->waiting_max + WAITING_SPARE)
			return false;
		*end = (struct waiting_run){pfn, nr};
		atomic_store_explicit(&set->nr_runs, nr_runs + 1, memory_order_relaxed);
	}
	set->nr_pages += nr;
	count_unsynced(alloc, nr);
	return true;
}

void
sync_wait_for_word_locked(struct page_alloc *alloc, uint32_t w, uint64_t mask)
{
	/* One that is free already may be another's when the sync is done: it must not be freed then. */
	uint64_t rest = mask & bitmap_word(alloc, w);
	uint64_t nr_lost = (uint64_t)__builtin_popcountll(mask ^ rest);

	while (rest != 0) {
		unsigned int first = (unsigned int)__builtin_ctzll(rest);
		uint64_t gap = ~(rest >> first);
		unsigned int nr = gap == 0 ? UNIT_PAGES : (unsigned int)__builtin_ctzll(gap);
		uint32_t pfn = w * UNIT_PAGES + first;

		if (!add_run(alloc, pfn, nr))
			nr_lost += nr;
		rest &= ~word_mask(w, pfn, (uint64_t)pfn + nr);
	}
	if (UNLIKELY(nr_lost > 0))
		account_lose(alloc, nr_lost);
}

void
sync_wait_for_locked(struct page_alloc *alloc, uint32_t pfn, uint32_t nr)
{
	uint64_t end = (uint64_t)pfn + nr;

	for (uint32_t w = pfn >> UNIT_SHIFT; (uint64_t)w << UNIT_SHIFT < end; w++)
		sync_wait_for_word_locked(alloc, w, word_mask(w, pfn, end));
}

/*
 * The sync has succeeded: free what waited for it.  All with the lock held
 * once: a page that is in the set twice must not be taken by somebody between.
 */
static void
free_set(struct page_alloc *alloc, struct waiting *set)
{
	LOCK_FOR_SCOPE(&alloc->bitmap_lock);
	for (uint32_t i = 0; i < set->nr_runs; i++)
		bitmap_put_range_locked(alloc, set->runs[i].pfn, set->runs[i].nr);
	count_unsynced(alloc, -set->nr_pages);
	set->nr_runs = 0;
	set->nr_pages = 0;
}

static struct waiting *
exchange_sets(struct page_alloc *alloc)
{
	LOCK_FOR_SCOPE(&alloc->bitmap_lock);
	alloc->since ^= 1;
	return &alloc->waiting[alloc->since ^ 1];
}

static int
sync_regions(struct prmem_pool *pool)
{
	for (unsigned int i = 0; i < pool->nr_regions; i++) {
		int r = pool->regions[i].pm == NULL ? 0 : pm_sync(pool->regions[i].pm);

		if (r < 0)
			return r;
	}
	return 0;
}

/* With sync_lock held. */
static int
sync_locked(struct page_alloc *alloc)
{
	struct waiting *set;
	uint64_t seq;
	int r;

	if (atomic_load(&alloc->sync_failed))
		return -EIO;
	/* What is retired from here on waits for the next one. */
	set = exchange_sets(alloc);
	seq = atomic_fetch_add(&alloc->sync_started, 1) + 1;
	r = sync_regions(alloc->pool);
	if (r < 0) {
		/*
		 * The kernel reports such an error once, and may count the
		 * pages as clean: no later sync could be believed.  The pages
		 * that waited keep waiting.
		 */
		atomic_store(&alloc->sync_failed, true);
		pool_set_read_only(alloc->pool,
				   "writing the pool's file back failed: %s; check the disk under it and reopen the pool",
				   strerror(-r));
		atomic_fetch_sub(&alloc->sync_started, 1);
		return -EIO;
	}
	atomic_store(&alloc->sync_completed, seq);
	free_set(alloc, set);
	return 0;
}

static bool
needs_no_sync(const struct page_alloc *alloc)
{
	return !alloc->page_cache || alloc->pool->pm->read_only;
}

/*
 * No sync is left out because nothing seems to have been written: only the
 * writer knows when its last store is done.  But a caller who waited for the
 * lock while a sync began and ended needs no other: all it wrote came before.
 */
int
page_sync(struct page_alloc *alloc)
{
	uint64_t need = atomic_load(&alloc->sync_started) + 1;

	if (needs_no_sync(alloc))
		return 0;
	LOCK_FOR_SCOPE(&alloc->sync_lock);
	if (!atomic_load(&alloc->sync_failed) && atomic_load(&alloc->sync_completed) >= need)
		return 0;
	return sync_locked(alloc);
}

/* A failure makes the pool read-only: whoever writes or flushes next is told. */
void
sync_make_room(struct page_alloc *alloc, bool must)
{
	uint32_t half = DIV_ROUND_UP(alloc->waiting_max, 2);

	if (needs_no_sync(alloc) || nr_collected(alloc) < half)
		return;
	if (pthread_mutex_trylock(&alloc->sync_lock) == 0) {
		if (nr_collected(alloc) >= half)
			(void)!sync_locked(alloc);
		pthread_mutex_unlock(&alloc->sync_lock);
	} else if (must && sync_is_full(alloc)) {
		(void)!page_sync(alloc);
	}
}

uint64_t
page_sync_needed(struct page_alloc *alloc)
{
	return atomic_load(&alloc->sync_started) + 1;
}

bool
page_sync_done(struct page_alloc *alloc, uint64_t seq)
{
	return !alloc->page_cache || atomic_load(&alloc->sync_completed) >= seq;
}
