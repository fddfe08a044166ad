/* SPDX-License-Identifier: BSD-3-Clause */
/* Thin files: a page is handed out only when there is space under it. */
#include <errno.h>

#include "prmem/alloc/page_internal.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"

#define NR_PAGES 32768u /* 128 MiB */

static uint64_t
nr_backed(struct prmem_pool *pool)
{
	uint64_t nr = 0;

	for (uint32_t pfn = 0; pfn < pool->nr_pages; pfn++)
		nr += fake_pool_is_backed(pool, pfn);
	return nr;
}

/* Groups are what can be mapped by huge pages. */
static void
space_is_taken_by_whole_groups(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, true);
	uint64_t before = nr_backed(pool);
	uint32_t pfns[1000];

	for (unsigned int i = 0; i < 20; i++) {
		CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, ARRAY_SIZE(pfns), pfns), 0);
		CHECK_EQ(nr_backed(pool) % GROUP_PAGES, 0);
	}
	CHECK(nr_backed(pool) > before + 10000);
	fake_pool_destroy(pool);
}

/*
 * Page cache, no flush: what is replaced waits for a sync, which takes long.
 * The file grows by an eighth rather than be written back every few pages, and
 * by no more than that.
 */
static void
a_thin_file_is_seldom_written_back(void)
{
	const uint32_t nr_used = 20000, nr_writes = 80000;
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);
	uint32_t pfns[20000];
	uint64_t backed;

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, nr_used, pfns), 0);
	backed = nr_backed(pool);
	for (uint32_t i = 0; i < nr_writes; i++) {
		uint32_t *pfn = &pfns[unit_random() % nr_used], old = *pfn;

		CHECK_EQ(page_take(pool->pages, PAGE_USE_REPLACE, 1, pfn), 0);
		page_retire(pool->pages, old, 0);
	}
	CHECK(nr_backed(pool) > backed);
	CHECK(nr_backed(pool) <= backed + backed / 8 + 1024);
	CHECK(fake_pool_nr_syncs(pool) <= nr_writes / (nr_used / 8));
	fake_pool_destroy(pool);
}

static uint32_t
take_all(struct prmem_pool *pool, enum page_use use, uint32_t *pfns)
{
	uint32_t n = 0;

	while (page_take(pool->pages, use, 1, &pfns[n]) == 0) {
		CHECK(fake_pool_is_backed(pool, pfns[n]));
		n++;
	}
	return n;
}

static void
space_is_taken_as_it_is_needed(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);
	uint64_t at_start = nr_backed(pool);
	uint32_t pfns[256];

	CHECK(at_start >= pool->pages->kept_back);
	CHECK(at_start <= pool->pages->kept_back + 1024);
	/* One MiB, replaced over and over: the file does not grow with every write. */
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 256, pfns), 0);
	for (unsigned int i = 0; i < 1000; i++) {
		uint32_t new[256];

		CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 256, new), 0);
		for (unsigned int j = 0; j < 256; j++)
			page_retire(pool->pages, pfns[j], 0);
		memcpy(pfns, new, sizeof pfns);
		CHECK_EQ(page_sync(pool->pages), 0);
	}
	CHECK(nr_backed(pool) <= at_start + 4096);
	/* Many at once, in few calls. */
	atomic_store(&fake_pm_of(pool, 0)->nr_ensures, 0);
	CHECK_EQ(page_promise(pool->pages, 20000), 0);
	CHECK(nr_backed(pool) >= 20000);
	CHECK(atomic_load(&fake_pm_of(pool, 0)->nr_ensures) < 10);
	fake_pool_destroy(pool);
}

static void
full_file_system_is_no_space_for_new_pages_only(void)
{
	struct prmem_pool *pool = fake_pool_new(NR_PAGES, false);
	uint32_t *pfns = calloc(NR_PAGES, sizeof *pfns), n, pfn;
	uint64_t backed;

	atomic_store(&fake_pm_of(pool, 0)->nr_space, 10000);
	CHECK_EQ(page_alloc_start(pool->pages), 0);
	n = take_all(pool, PAGE_USE_NEW, pfns);
	backed = nr_backed(pool);
	/* To the last unit. */
	CHECK(backed > 10000 - UNIT_PAGES);
	CHECK_EQ(n, backed - 3 - pool->pages->kept_back);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 1, &pfn), -ENOSPC);
	CHECK_EQ(page_promise(pool->pages, 1), -ENOSPC);
	for (unsigned int i = 0; i < 5000; i++) {
		CHECK_EQ(page_take(pool->pages, PAGE_USE_REPLACE, 1, &pfn), 0);
		CHECK(fake_pool_is_backed(pool, pfn));
		page_retire(pool->pages, pfns[i % n], 0);
		pfns[i % n] = pfn;
	}
	CHECK_EQ(nr_backed(pool), backed);
	/* Somebody deletes a file: on it goes. */
	atomic_store(&fake_pm_of(pool, 0)->nr_space, 1000);
	n = take_all(pool, PAGE_USE_NEW, pfns);
	CHECK(n > 1000 - UNIT_PAGES && n <= 1000);
	free(pfns);
	fake_pool_destroy(pool);
}

/*
 * A pool is opened again on a file system that has become full.  What the
 * earlier process used is backed, here and there; that must do for replacing.
 */
static void
reopened_on_a_full_file_system(void)
{
	struct prmem_pool *pool = fake_pool_new(NR_PAGES, false);
	uint32_t *pfns = calloc(NR_PAGES, sizeof *pfns), n = 0, pfn;
	struct page_numbers numbers;

	for (uint32_t unit = 1; unit < NR_PAGES / UNIT_PAGES; unit++) {
		if (unit % 7 != 0)
			continue;
		for (uint32_t i = 0; i < UNIT_PAGES; i++) {
			atomic_store(&fake_pm_of(pool, 0)->backed[unit * UNIT_PAGES + i], true);
			if (i % 4 == 0)
				continue;
			pfns[n] = unit * UNIT_PAGES + i;
			CHECK(page_mark(pool->pages, pfns[n++], 1));
		}
	}
	atomic_store(&fake_pm_of(pool, 0)->nr_space, 0);
	CHECK_EQ(page_alloc_start(pool->pages), 0);
	for (unsigned int i = 0; i < 10000; i++) {
		CHECK_EQ(page_take(pool->pages, PAGE_USE_REPLACE, 1, &pfn), 0);
		CHECK(fake_pool_is_backed(pool, pfn));
		page_retire(pool->pages, pfns[i % n], 0);
		pfns[i % n] = pfn;
	}
	for (unsigned int i = 0; i < n; i++)
		page_retire(pool->pages, pfns[i], 0);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	page_numbers(pool->pages, &numbers);
	CHECK_EQ(numbers.nr_free, NR_PAGES - 3);
	CHECK(take_all(pool, PAGE_USE_NEW, pfns) > NR_PAGES / 8);
	free(pfns);
	fake_pool_destroy(pool);
}

static void
no_space_at_all_says_so_at_start(void)
{
	struct prmem_pool *pool = fake_pool_new(NR_PAGES, false);
	uint32_t pfn;

	atomic_store(&fake_pm_of(pool, 0)->nr_space, 100);
	CHECK_EQ(page_alloc_start(pool->pages), -ENOSPC);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 1, &pfn), -ENOSPC);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_REPLACE, 1, &pfn), 0);
	fake_pool_destroy(pool);
}

static void
errors_of_the_file_system_are_told_apart(void)
{
	static const struct {
		int from, to;
	} errors[] = {{-EDQUOT, -ENOSPC}, {-EFBIG, -ENOSPC}, {-ENOSPC, -ENOSPC}, {-EIO, -EIO}};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);
		uint32_t *pfns = calloc(NR_PAGES, sizeof *pfns);
		struct page_numbers before, after;

		page_numbers(pool->pages, &before);
		atomic_store(&fake_pm_of(pool, 0)->ensure_error, errors[i].from);
		CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 10000, pfns), errors[i].to);
		atomic_store(&fake_pm_of(pool, 0)->ensure_error, 0);
		page_numbers(pool->pages, &after);
		CHECK_EQ(before.nr_free, after.nr_free);
		CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 10000, pfns), 0);
		free(pfns);
		fake_pool_destroy(pool);
	}
}

/* Regions are asked each for its own part, also where a unit lies in two. */
static void
regions_are_ensured_each_by_itself(void)
{
	struct prmem_pool *pool = fake_pool_new_regions(1000, 700, false);
	uint32_t *pfns = calloc(1700, sizeof *pfns), n;

	CHECK_EQ(page_alloc_start(pool->pages), 0);
	n = take_all(pool, PAGE_USE_NEW, pfns);
	CHECK_EQ(n, 1700 - 4 - pool->pages->kept_back);
	CHECK_EQ(nr_backed(pool), 1700);
	free(pfns);
	fake_pool_destroy(pool);
}

static void
what_cannot_fit_does_not_grow_the_file(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);
	uint32_t *pfns = calloc(NR_PAGES, sizeof *pfns);
	uint64_t before = nr_backed(pool);

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, NR_PAGES - 10, pfns), -ENOSPC);
	CHECK_EQ(page_promise(pool->pages, NR_PAGES), -ENOSPC);
	CHECK_EQ(nr_backed(pool), before);
	free(pfns);
	fake_pool_destroy(pool);
}

UNIT_MAIN(CASE(space_is_taken_as_it_is_needed), CASE(space_is_taken_by_whole_groups),
	  CASE(a_thin_file_is_seldom_written_back), CASE(full_file_system_is_no_space_for_new_pages_only),
	  CASE(reopened_on_a_full_file_system), CASE(no_space_at_all_says_so_at_start),
	  CASE(errors_of_the_file_system_are_told_apart), CASE(regions_are_ensured_each_by_itself),
	  CASE(what_cannot_fit_does_not_grow_the_file))
