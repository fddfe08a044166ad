/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Page cache: making the file durable, and the pages that wait for that.
 *
 * After an operating-system crash the file holds any mixture of what was
 * written since the last sync.  A page replaced since then may still be what
 * the durable slot names, so it is not reused before the next sync: it waits
 * in a bitmap.  A sync exchanges two of them; the pages in the one it started
 * with are free when it has succeeded.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/page_internal.h"
#include "prmem/pool.h"

int
sync_init(struct page_alloc *alloc)
{
	for (unsigned int i = 0; i < alloc->pool->nr_regions; i++)
		alloc->page_cache = alloc->page_cache ||
				    (alloc->pool->regions[i].pm != NULL && !alloc->pool->regions[i].pm->is_pmem);
	if (!alloc->page_cache)
		return 0;
	for (unsigned int i = 0; i < 2; i++) {
		alloc->waiting[i].words = calloc(alloc->nr_words, sizeof *alloc->waiting[i].words);
		alloc->waiting[i].groups = calloc(alloc->nr_groups, sizeof *alloc->waiting[i].groups);
		if (alloc->waiting[i].words == NULL || alloc->waiting[i].groups == NULL)
			return -ENOMEM;
	}
	return 0;
}

void
sync_fini(struct page_alloc *alloc)
{
	for (unsigned int i = 0; i < 2; i++) {
		free(alloc->waiting[i].words);
		free(alloc->waiting[i].groups);
	}
}

/* Add pages to a set.  Return: how many were not in it and are in use. */
static uint64_t
add_word(struct page_alloc *alloc, struct waiting *set, uint32_t w, uint64_t mask)
{
	uint64_t new = mask & bitmap_word(alloc, w) & ~set->words[w];
	uint64_t nr = (uint64_t)__builtin_popcountll(new);

	set->words[w] |= new;
	set->groups[w / GROUP_WORDS] = 1;
	set->nr += nr;
	return nr;
}

void
sync_wait_for_word_locked(struct page_alloc *alloc, uint32_t w, uint64_t mask)
{
	uint64_t nr = (uint64_t)__builtin_popcountll(mask);
	uint64_t nr_new = add_word(alloc, &alloc->waiting[alloc->since], w, mask);

	atomic_fetch_add(&alloc->nr_unsynced, nr_new);
	/* Retired twice, or free: counted once too often. */
	if (nr_new < nr)
		account_lose(alloc, nr - nr_new);
}

void
sync_wait_for_locked(struct page_alloc *alloc, uint32_t pfn, uint32_t nr)
{
	uint64_t end = (uint64_t)pfn + nr;

	for (uint32_t w = pfn >> UNIT_SHIFT; (uint64_t)w << UNIT_SHIFT < end; w++)
		sync_wait_for_word_locked(alloc, w, word_mask(w, pfn, end));
}

/* The sync has succeeded: free what waited for it. */
static void
free_set(struct page_alloc *alloc, struct waiting *set)
{
	LOCK_FOR_SCOPE(&alloc->bitmap_lock);
	if (set->nr == 0)
		return;
	for (uint32_t g = 0; g < alloc->nr_groups; g++) {
		if (!set->groups[g])
			continue;
		set->groups[g] = 0;
		for (uint32_t w = g * GROUP_WORDS; w < (g + 1) * GROUP_WORDS; w++) {
			if (set->words[w] != 0)
				bitmap_put_word_locked(alloc, w, set->words[w]);
			set->words[w] = 0;
		}
	}
	atomic_fetch_sub(&alloc->nr_unsynced, set->nr);
	set->nr = 0;
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

/*
 * No sync is left out because nothing seems to have been written: only the
 * writer knows when its last store is done.  But a caller who waited for the
 * lock while a sync began and ended needs no other: all it wrote came before.
 */
int
page_sync(struct page_alloc *alloc)
{
	uint64_t need = atomic_load(&alloc->sync_started) + 1;
	struct waiting *set;
	int r;

	if (!alloc->page_cache || alloc->pool->pm->read_only)
		return 0;
	LOCK_FOR_SCOPE(&alloc->sync_lock);
	if (alloc->sync_failed)
		return -EIO;
	if (atomic_load(&alloc->sync_completed) >= need)
		return 0;
	/* What is retired from here on waits for the next one. */
	set = exchange_sets(alloc);
	need = atomic_fetch_add(&alloc->sync_started, 1) + 1;
	r = sync_regions(alloc->pool);
	if (r < 0) {
		/*
		 * The kernel reports such an error once, and may count the
		 * pages as clean: no later sync could be believed.  The pages
		 * that waited keep waiting.
		 */
		alloc->sync_failed = true;
		pool_set_read_only(alloc->pool,
				   "writing the pool's file back failed: %s; check the disk under it and reopen the pool",
				   strerror(-r));
		atomic_fetch_sub(&alloc->sync_started, 1);
		return -EIO;
	}
	atomic_store(&alloc->sync_completed, need);
	free_set(alloc, set);
	return 0;
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
