/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Single requests: reading, overwriting, writing a MiB, against the copy, the
 * CRC, the flushes and the fences that they cannot be without.
 *
 * The limits work on as many pages, in the same order, with the same copy and
 * the same CRC as the engine: what is left is the engine's own.
 */
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "prmem/memory/pm_libpmem.h"
#include "tests/bench/engine.h"

#define MIB_PAGES 256u
/* The limits are no part of the engine, and no crash test will look for them; any site does. */
#define SITE ((enum pm_site)0)

struct pages {
	struct bench *b;
	struct rng rng;
	char *buf; /* 1 MiB */
	uint32_t crc;
	uint64_t stamp;
};

static void *
limit_page(const struct bench *b, uint32_t i)
{
	return (char *)b->limit->base + (uint64_t)i * PRMEM_PAGE_SIZE;
}

static pm_slot *
limit_slot(const struct bench *b, uint32_t i)
{
	return (pm_slot *)limit_page(b, b->nr_limit_pages) + i;
}

static void
engine_read(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0) {
		uint64_t off = rng_below(&p->rng, p->b->nr_pages) * PRMEM_PAGE_SIZE;

		if (prmem_disk_read(p->b->disk, p->buf, PRMEM_PAGE_SIZE, off) < 0)
			die("reading failed");
	}
}

static void
limit_read(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0) {
		memcpy(p->buf, limit_page(p->b, rng_below(&p->rng, p->b->nr_limit_pages)), PRMEM_PAGE_SIZE);
		p->crc += crc32c(0, p->buf, PRMEM_PAGE_SIZE);
	}
}

/* The same by a table of 8 bytes a page: the least that any index costs. */
static void
limit_read_by_table(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0) {
		const pm_slot *slot = limit_slot(p->b, rng_below(&p->rng, p->b->nr_limit_pages));
		uint64_t word = atomic_load_explicit(slot, memory_order_acquire);

		/* The words are random numbers, at first; later they name pages in their lower half. */
		memcpy(p->buf, limit_page(p->b, (uint32_t)(word % p->b->nr_limit_pages)), PRMEM_PAGE_SIZE);
		p->crc += crc32c(0, p->buf, PRMEM_PAGE_SIZE);
	}
}

/* Sixteen sources in turn: in the cache, as a request's data just received is, but not one and the same. */
static char *
source(struct pages *p)
{
	char *src = p->buf + (p->stamp % 16) * PRMEM_PAGE_SIZE;

	*(uint64_t *)(void *)src = ++p->stamp;
	return src;
}

static void
engine_write(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0) {
		uint64_t off = rng_below(&p->rng, p->b->nr_pages) * PRMEM_PAGE_SIZE;

		if (prmem_disk_write(p->b->disk, source(p), PRMEM_PAGE_SIZE, off) < 0)
			die("writing failed");
	}
}

/* Another page for each write, as nothing may be overwritten in place. */
static void
limit_write(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;
	struct pm *pm = p->b->limit;

	while (nr-- > 0) {
		const char *src = source(p);
		uint32_t pfn = rng_below(&p->rng, p->b->nr_limit_pages);
		pm_slot *slot = limit_slot(p->b, rng_below(&p->rng, p->b->nr_limit_pages));
		uint32_t crc;

		/* In this order it is faster than the other way round. */
		pm_copy(pm, limit_page(p->b, pfn), src, PRMEM_PAGE_SIZE, SITE);
		crc = crc32c(0, src, PRMEM_PAGE_SIZE);
		pm_fence(pm, SITE);
		pm_store(pm, slot, (uint64_t)crc << 32 | pfn, SITE);
		pm_flush(pm, slot, sizeof *slot, SITE);
		pm_fence(pm, SITE);
	}
}

/* The same with the slot exchanged, as several writers at once need it. */
static void
limit_write_exchange(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;
	struct pm *pm = p->b->limit;

	while (nr-- > 0) {
		const char *src = source(p);
		uint32_t pfn = rng_below(&p->rng, p->b->nr_limit_pages);
		pm_slot *slot = limit_slot(p->b, rng_below(&p->rng, p->b->nr_limit_pages));
		uint32_t crc;

		__builtin_prefetch((const void *)slot, 1);
		pm_copy(pm, limit_page(p->b, pfn), src, PRMEM_PAGE_SIZE, SITE);
		crc = crc32c(0, src, PRMEM_PAGE_SIZE);
		pm_fence(pm, SITE);
		p->crc += (uint32_t)pm_exchange(pm, slot, (uint64_t)crc << 32 | pfn, SITE);
		pm_flush(pm, slot, sizeof *slot, SITE);
		pm_fence(pm, SITE);
	}
}

static void
engine_write_mib(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0) {
		uint64_t off = rng_below(&p->rng, p->b->nr_pages / MIB_PAGES) * MIB_PAGES * PRMEM_PAGE_SIZE;

		source(p);
		if (prmem_disk_write(p->b->disk, p->buf, MIB_PAGES * PRMEM_PAGE_SIZE, off) < 0)
			die("writing failed");
	}
}

static void
limit_write_mib(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;
	struct pm *pm = p->b->limit;

	while (nr-- > 0) {
		uint32_t first = rng_below(&p->rng, p->b->nr_limit_pages / MIB_PAGES) * MIB_PAGES;

		source(p);
		for (uint32_t i = 0; i < MIB_PAGES; i++) {
			const char *src = p->buf + (size_t)i * PRMEM_PAGE_SIZE;

			pm_copy(pm, limit_page(p->b, first + i), src, PRMEM_PAGE_SIZE, SITE);
			p->crc += crc32c(0, src, PRMEM_PAGE_SIZE);
		}
		pm_fence(pm, SITE);
	}
}

static void
engine_read_mib(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0) {
		uint64_t off = rng_below(&p->rng, p->b->nr_pages / MIB_PAGES) * MIB_PAGES * PRMEM_PAGE_SIZE;

		if (prmem_disk_read(p->b->disk, p->buf, MIB_PAGES * PRMEM_PAGE_SIZE, off) < 0)
			die("reading failed");
	}
}

static void
limit_read_mib(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0) {
		uint32_t first = rng_below(&p->rng, p->b->nr_limit_pages / MIB_PAGES) * MIB_PAGES;

		for (uint32_t i = 0; i < MIB_PAGES; i++) {
			char *dst = p->buf + (size_t)i * PRMEM_PAGE_SIZE;

			memcpy(dst, limit_page(p->b, first + i), PRMEM_PAGE_SIZE);
			p->crc += crc32c(0, dst, PRMEM_PAGE_SIZE);
		}
	}
}

/* 512 bytes of a page: read it, change it, write it as a whole.  The limit does just that. */
static void
engine_write_sector(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0) {
		uint64_t off = rng_below(&p->rng, p->b->nr_pages * 8) * UINT64_C(512);

		if (prmem_disk_write(p->b->disk, source(p), 512, off) < 0)
			die("writing failed");
	}
}

static void
limit_write_sector(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;
	struct pm *pm = p->b->limit;
	char page[PRMEM_PAGE_SIZE];

	while (nr-- > 0) {
		uint32_t at = rng_below(&p->rng, p->b->nr_limit_pages * 8),
			 pfn = rng_below(&p->rng, p->b->nr_limit_pages);
		pm_slot *slot = limit_slot(p->b, at / 8);
		uint32_t crc;

		memcpy(page, limit_page(p->b, at / 8), sizeof page);
		p->crc += crc32c(0, page, sizeof page);
		memcpy(page + (size_t)at % 8 * 512, source(p), 512);
		crc = crc32c(0, page, sizeof page);
		pm_copy(pm, limit_page(p->b, pfn), page, sizeof page, SITE);
		pm_fence(pm, SITE);
		pm_store(pm, slot, (uint64_t)crc << 32 | pfn, SITE);
		pm_flush(pm, slot, sizeof *slot, SITE);
		pm_fence(pm, SITE);
	}
}

/* What the limits are made of, each by itself. */
static void
only_memcpy(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0) {
		memcpy(p->buf, limit_page(p->b, rng_below(&p->rng, p->b->nr_limit_pages)), PRMEM_PAGE_SIZE);
		/* Or the compiler leaves it out. */
		__asm__ volatile("" : : "r"(p->buf) : "memory");
	}
}

static void
only_crc(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;

	while (nr-- > 0)
		p->crc += crc32c(0, source(p), PRMEM_PAGE_SIZE);
}

static void
only_store(void *ctx, uint64_t nr)
{
	struct pages *p = ctx;
	struct pm *pm = p->b->limit;

	while (nr-- > 0) {
		pm_slot *slot = limit_slot(p->b, rng_below(&p->rng, p->b->nr_limit_pages));

		pm_store(pm, slot, ++p->stamp, SITE);
		pm_flush(pm, slot, sizeof *slot, SITE);
		pm_fence(pm, SITE);
	}
}

void
bench_pages(struct bench *b)
{
	struct pages a = {.b = b, .rng = {1}}, l = {.b = b, .rng = {2}};

	a.buf = aligned_alloc(PRMEM_PAGE_SIZE, MIB_PAGES * PRMEM_PAGE_SIZE);
	l.buf = aligned_alloc(PRMEM_PAGE_SIZE, MIB_PAGES * PRMEM_PAGE_SIZE);
	if (a.buf == NULL || l.buf == NULL)
		die("out of memory");
	memset(a.buf, 0x5a, MIB_PAGES * PRMEM_PAGE_SIZE);
	memset(l.buf, 0x5a, MIB_PAGES * PRMEM_PAGE_SIZE);
#define PAIR(e, m, bar, name) compare(name, (struct work){e, &a}, (struct work){m, &l}, bar)
	PAIR(only_crc, only_memcpy, 0, "limits: CRC of 4 KiB / memcpy of 4 KiB");
	PAIR(only_store, limit_read, 0, "limits: persisted 8 bytes / memcpy + CRC");
	PAIR(limit_read_by_table, limit_read, 0, "limits: read 4 KiB by a table of pages / memcpy + CRC");
	PAIR(limit_write_exchange, limit_write, 0, "limits: overwrite 4 KiB, slot exchanged / slot stored");
	PAIR(engine_read, limit_read, 1.25, "read 4 KiB, random");
	PAIR(engine_read_mib, limit_read_mib, 0, "read 1 MiB");
	PAIR(engine_write_mib, limit_write_mib, 1.15, "overwrite 1 MiB");
	PAIR(engine_write, limit_write, 1.5, "overwrite 4 KiB, random");
	PAIR(engine_write_sector, limit_write_sector, 0, "overwrite 512 bytes, random");
	/* By now neighbours of the disk lie anywhere in the pool; those of the limit do not. */
	PAIR(engine_read_mib, limit_read_mib, 0, "read 1 MiB, of pages far apart");
	PAIR(engine_write_mib, limit_write_mib, 0, "overwrite 1 MiB, in a fragmented pool");
#undef PAIR
	free(a.buf);
	free(l.buf);
}
