/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A struct prmem_pool made by hand over anonymous memory, for tests of what
 * allocates in it: no superblock, no file, and a file system that can be full
 * or fail.
 */
#ifndef PRMEM_TESTS_FAKE_POOL_H
#define PRMEM_TESTS_FAKE_POOL_H

#include "prmem/alloc/page_alloc.h"
#include "prmem/core/pool.h"

/* A region has memory for so many pages; a test with a larger one marks the others. */
#define FAKE_PAGES_MAX (UINT64_C(1) << 20)

struct fake_pm {
	struct pm pm;
	uint64_t mapped_bytes;
	atomic_bool *backed; /* pages that the file system has promised */
	_Atomic int64_t nr_space; /* pages it has left to promise */
	atomic_int ensure_error; /* what ensure() returns, or 0 */
	atomic_int sync_error; /* what sync() returns, or 0 */
	atomic_uint nr_ensures, nr_syncs;
	void (*on_sync)(void *opaque); /* called inside sync(), or NULL */
	void *opaque;
};

struct fake_pool {
	struct prmem_pool pool; /* first */
	struct fake_pm pm[2];
};

/* A pool of one region, nothing marked, not started. */
struct prmem_pool *fake_pool_new(uint64_t nr_pages, bool is_pmem);

/* The same with a second region of @nr_pages1 pages behind the first. */
struct prmem_pool *fake_pool_new_regions(uint64_t nr_pages0, uint64_t nr_pages1, bool is_pmem);

/* fake_pool_new() and page_alloc_start(). */
struct prmem_pool *fake_pool_start(uint64_t nr_pages, bool is_pmem);

void fake_pool_destroy(struct prmem_pool *pool);

static inline struct fake_pm *
fake_pm_of(struct prmem_pool *pool, unsigned int region)
{
	return &((struct fake_pool *)(void *)pool)->pm[region];
}

static inline unsigned int
fake_pool_nr_syncs(struct prmem_pool *pool)
{
	return atomic_load(&fake_pm_of(pool, 0)->nr_syncs);
}

static inline uint64_t
fake_pool_nr_free(struct prmem_pool *pool)
{
	struct page_numbers numbers;

	page_numbers(pool->pages, &numbers);
	return numbers.nr_free;
}

/* Is there space under a page? */
bool fake_pool_is_backed(struct prmem_pool *pool, uint32_t pfn);

#endif
