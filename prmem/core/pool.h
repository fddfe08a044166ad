/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * struct prmem_pool - an open pool, in RAM.  The rooms behind it have headers
 * of their own; this one ties them together.
 *
 * Lock order, outermost first:
 *	0. grow_lock	one growth at a time
 *	1. inst_lock	names, the list of instances (instance.h)
 *	2. a stripe	one page of a disk, for partial writes (disk.h)
 *	3. an instance array's lock (xa_internal.h)
 *	4. rec_lock	records: their RAM copies and their publishing
 *	5. the directory array's lock
 *	6. sb_lock	the superblock's RAM copy and its writing
 *	7. buffers' lock, the object table's lock
 *	8. a lane's lock, then the bitmap's lock (page_alloc.h)
 *	9. a bucket's lock of page_refs
 */
#ifndef PRMEM_POOL_H
#define PRMEM_POOL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/compiler.h"
#include "common/pm.h"
#include "prmem/format/superblock_format.h"
#include "prmem/prmem.h"

struct buffers;
struct directory;
struct owner_lock;
struct page_alloc;
struct page_refs;
struct region_file;

/*
 * A piece of mapped memory.  Most pools have one; each added region is one
 * more, and so is what a file grew by since it was opened.
 */
struct pool_region {
	struct pm *pm;     /* NULL: missing, in a pool that was opened read-only without it */
	uint32_t start_pfn;
	_Atomic uint32_t nr_pages; /* 2^32 - 1 at most: the last page of a full pool is unused */
	bool has_header;   /* an added region; else a part of the file of region 0 */
	struct region_file *file; /* what holds an added region open, or NULL */
};

#define BAD_PAGES_QUEUE 64u

/* Pages that are put aside in RAM and not yet on media. */
struct bad_pages {
	_Atomic uint32_t nr; /* noted so far; those beyond the queue are noted again when they fault again */
	_Atomic uint32_t pfn[BAD_PAGES_QUEUE];
};

struct prmem_pool {
	struct pm *pm; /* the primitives, and region 0 */
	struct pool_region regions[SB_MAX_REGIONS];
	_Atomic unsigned int nr_regions; /* those below it stay as they are: others may come while the pool is used */
	_Atomic uint64_t nr_pages;       /* page numbers are below this */

	_Atomic bool wary; /* damage was met since the open (proof.h) */
	_Atomic uint64_t nr_put_aside; /* pages that were not freed for it */

	pthread_mutex_t grow_lock; /* outermost of all */
	pthread_mutex_t sb_lock;
	struct sb_media sb; /* as on media */

	uint64_t uuid_mix; /* the pool's part of every lineage */

	struct owner_lock *lock;
	struct page_alloc *pages;
	struct page_refs *refs;
	struct buffers *buffers;
	struct directory *dir;

	/* One writer of a part of a page at a time; chosen by a hash of disk and page. */
	struct {
		pthread_mutex_t lock;
		char pad[CACHELINE_SIZE - sizeof(pthread_mutex_t) % CACHELINE_SIZE];
	} stripes[64];

	atomic_bool read_only;
	atomic_bool lost_memory; /* SIGBUS outside of a copy (guard.h): read_only, too */
	pthread_mutex_t why_lock;
	char read_only_why[160]; /* under why_lock */

	_Atomic uint64_t low_pages; /* say when fewer are left; 0: never */
	atomic_bool is_low;

	struct bad_pages bad;
	_Atomic uint64_t nr_damaged; /* slots the walk could not believe */
	struct prmem_stats gone_stats; /* of disks that were removed; under inst_lock */

	void (*notice)(void *opaque, const char *message);
	void *opaque;
	char path[256];
};

/*
 * pool_page() - the address of a page.
 * Context: any.  Return: NULL for a page number beyond the pool.
 */
static inline void *
pool_page(const struct prmem_pool *pool, uint32_t pfn)
{
	if (LIKELY(pfn < atomic_load_explicit(&pool->regions[0].nr_pages, memory_order_acquire)))
		return (char *)pool->regions[0].pm->base + ((uint64_t)pfn << PRMEM_PAGE_SHIFT);
	for (unsigned int i = 1; i < atomic_load_explicit(&pool->nr_regions, memory_order_acquire); i++) {
		const struct pool_region *r = &pool->regions[i];

		if (pfn >= r->start_pfn && pfn - r->start_pfn < r->nr_pages && r->pm != NULL)
			return (char *)r->pm->base + ((uint64_t)(pfn - r->start_pfn) << PRMEM_PAGE_SHIFT);
	}
	return NULL;
}

/*
 * pool_is_fixed_page() - does a page number hold a superblock, the owner
 * record or a region's header?  Such a page is never handed out or reached.
 */
static inline bool
pool_is_fixed_page(const struct prmem_pool *pool, uint32_t pfn)
{
	if (pfn == SB_PFN_A || pfn == SB_PFN_OWNER || pfn == SB_PFN_B)
		return true;
	/* Each node on the way of each request is asked for: other regions begin behind the first one. */
	if (LIKELY(pfn < atomic_load_explicit(&pool->regions[0].nr_pages, memory_order_acquire)))
		return false;
	for (unsigned int i = 1; i < pool->nr_regions; i++) {
		if (pfn == pool->regions[i].start_pfn)
			return true;
	}
	return false;
}

/*
 * pool_pfn_of() - the page number of an address inside the pool.
 * Return: true and the page number; false when it is not in the pool.
 */
MUST_CHECK bool pool_pfn_of(const struct prmem_pool *pool, const void *addr, uint32_t *ret_pfn);

static inline bool
pool_is_read_only(const struct prmem_pool *pool)
{
	return atomic_load_explicit(&pool->read_only, memory_order_relaxed);
}

/* pool_lineage() - the lineage of the array with an origin, in this pool. */
uint64_t pool_lineage(const struct prmem_pool *pool, uint64_t origin);

#endif
