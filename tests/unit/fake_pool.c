/* SPDX-License-Identifier: BSD-3-Clause */
/* A pool made by hand. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_refs.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"

static struct fake_pm *
fake_of(struct pm *pm)
{
	return CONTAINER_OF(pm, struct fake_pm, pm);
}

static void
fake_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	(void)pm;
	(void)site;
	memcpy(dst, src, len_bytes);
}

static void
fake_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	(void)pm;
	(void)site;
	atomic_store_explicit(slot, le, memory_order_release);
}

static uint64_t
fake_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	(void)pm;
	(void)site;
	return atomic_exchange(slot, le);
}

static bool
fake_cmpxchg(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site)
{
	(void)pm;
	(void)site;
	return atomic_compare_exchange_strong(slot, expected_le, le);
}

static void
fake_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	(void)pm;
	(void)addr;
	(void)len_bytes;
	(void)site;
}

static void
fake_fence(struct pm *pm, enum pm_site site)
{
	(void)pm;
	(void)site;
}

static int
fake_sync(struct pm *pm)
{
	struct fake_pm *fake = fake_of(pm);

	if (fake->on_sync != NULL)
		fake->on_sync(fake->opaque);
	atomic_fetch_add(&fake->nr_syncs, 1);
	return atomic_load(&fake->sync_error);
}

/* Like fallocate(): all of the range or an error, and what is backed needs no space. */
static int
fake_ensure(struct pm *pm, uint64_t off, uint64_t len_bytes)
{
	struct fake_pm *fake = fake_of(pm);
	int64_t need = 0;

	CHECK_EQ(off % PRMEM_PAGE_SIZE, 0);
	CHECK(off + len_bytes <= pm->len_bytes);
	atomic_fetch_add(&fake->nr_ensures, 1);
	if (atomic_load(&fake->ensure_error) != 0)
		return atomic_load(&fake->ensure_error);
	for (uint64_t i = off >> PRMEM_PAGE_SHIFT; i < (off + len_bytes) >> PRMEM_PAGE_SHIFT; i++)
		need += !atomic_load(&fake->backed[i]);
	if (need > atomic_load(&fake->nr_space))
		return -ENOSPC;
	atomic_fetch_sub(&fake->nr_space, need);
	for (uint64_t i = off >> PRMEM_PAGE_SHIFT; i < (off + len_bytes) >> PRMEM_PAGE_SHIFT; i++)
		atomic_store(&fake->backed[i], true);
	return 0;
}

static void
fake_close(struct pm *pm)
{
	struct fake_pm *fake = fake_of(pm);

	munmap(pm->base, fake->mapped_bytes);
	free(fake->backed);
}

static const struct pm_ops fake_ops = {
	.copy = fake_copy,
	.store = fake_store,
	.exchange = fake_exchange,
	.cmpxchg = fake_cmpxchg,
	.flush = fake_flush,
	.fence = fake_fence,
	.sync = fake_sync,
	.ensure = fake_ensure,
	.close = fake_close,
};

static void
add_region(struct prmem_pool *pool, uint64_t nr_pages, bool is_pmem)
{
	unsigned int i = pool->nr_regions++;
	struct fake_pm *fake = fake_pm_of(pool, i);
	uint64_t mapped_bytes = MIN(nr_pages, FAKE_PAGES_MAX) << PRMEM_PAGE_SHIFT;
	void *base =
		mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(base != MAP_FAILED);
	fake->mapped_bytes = mapped_bytes;
	fake->pm = (struct pm){&fake_ops, base, nr_pages << PRMEM_PAGE_SHIFT, is_pmem, false};
	fake->backed = calloc(nr_pages, sizeof *fake->backed);
	CHECK(fake->backed != NULL);
	atomic_store(&fake->nr_space, INT64_MAX);
	pool->regions[i] = (struct pool_region){.pm = &fake->pm,
						.start_pfn = (uint32_t)pool->nr_pages,
						.nr_pages = (uint32_t)nr_pages,
						.has_header = i > 0};
	pool->nr_pages += nr_pages;
}

struct prmem_pool *
fake_pool_new_regions(uint64_t nr_pages0, uint64_t nr_pages1, bool is_pmem)
{
	struct fake_pool *fake = calloc(1, sizeof *fake);
	struct prmem_pool *pool = &fake->pool;

	CHECK(fake != NULL);
	add_region(pool, nr_pages0, is_pmem);
	if (nr_pages1 > 0)
		add_region(pool, nr_pages1, is_pmem);
	pool->pm = pool->regions[0].pm;
	pthread_mutex_init(&pool->why_lock, NULL);
	CHECK_EQ(page_refs_create(&pool->refs), 0);
	CHECK_EQ(page_alloc_create(pool, &pool->pages), 0);
	return pool;
}

struct prmem_pool *
fake_pool_new(uint64_t nr_pages, bool is_pmem)
{
	return fake_pool_new_regions(nr_pages, 0, is_pmem);
}

struct prmem_pool *
fake_pool_start(uint64_t nr_pages, bool is_pmem)
{
	struct prmem_pool *pool = fake_pool_new(nr_pages, is_pmem);

	CHECK_EQ(page_alloc_start(pool->pages), 0);
	return pool;
}

void
fake_pool_destroy(struct prmem_pool *pool)
{
	page_alloc_destroy(pool->pages);
	page_refs_destroy(pool->refs);
	for (unsigned int i = 0; i < pool->nr_regions; i++)
		pool->regions[i].pm->ops->close(pool->regions[i].pm);
	free(pool);
}

bool
fake_pool_is_backed(struct prmem_pool *pool, uint32_t pfn)
{
	for (unsigned int i = 0; i < pool->nr_regions; i++) {
		const struct pool_region *region = &pool->regions[i];

		if (pfn >= region->start_pfn && pfn - region->start_pfn < region->nr_pages)
			return atomic_load(&fake_pm_of(pool, i)->backed[pfn - region->start_pfn]);
	}
	return false;
}
