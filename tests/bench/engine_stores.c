/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same work done by other stores, where they were found when this was
 * configured: a durable, atomic, checksummed overwrite of 4 KiB, and a random
 * read of 4 KiB that is verified.  In turns with the engine, on as many pages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/engine.h"
#include "tests/bench/engine_stores.h"

/* What there is room for beside all the rest. */
#define PAGES_MAX 65536u

struct side {
	struct bench *b;
	const struct store_ops *ops;
	struct store *store;
	uint32_t nr_pages;
	struct rng rng;
	char *buf; /* 16 pages */
	uint64_t stamp;
};

static uint32_t
any_page(struct side *s)
{
	return rng_below(&s->rng, s->nr_pages);
}

static char *
source(struct side *s)
{
	char *src = s->buf + s->stamp % 16 * PRMEM_PAGE_SIZE;

	*(uint64_t *)(void *)src = ++s->stamp;
	return src;
}

static void
engine_read(void *ctx, uint64_t nr)
{
	struct side *s = ctx;

	while (nr-- > 0) {
		if (prmem_disk_read(s->b->disk, s->buf, PRMEM_PAGE_SIZE, any_page(s) * PRMEM_PAGE_SIZE) < 0)
			die("reading failed");
	}
}

static void
engine_write(void *ctx, uint64_t nr)
{
	struct side *s = ctx;

	while (nr-- > 0) {
		if (prmem_disk_write(s->b->disk, source(s), PRMEM_PAGE_SIZE, any_page(s) * PRMEM_PAGE_SIZE) < 0)
			die("writing failed");
	}
}

static void
store_read(void *ctx, uint64_t nr)
{
	struct side *s = ctx;

	while (nr-- > 0)
		s->ops->read(s->store, any_page(s), s->buf);
}

static void
store_write(void *ctx, uint64_t nr)
{
	struct side *s = ctx;

	while (nr-- > 0)
		s->ops->write(s->store, any_page(s), source(s));
}

static void
against(struct bench *b, const struct store_ops *ops)
{
	struct side a = {.b = b, .rng = {5}}, o = {.ops = ops, .rng = {6}};
	char path[300], name[100];

	a.nr_pages = o.nr_pages = b->nr_pages < PAGES_MAX ? b->nr_pages : PAGES_MAX;
	a.buf = aligned_alloc(PRMEM_PAGE_SIZE, 16 * PRMEM_PAGE_SIZE);
	o.buf = aligned_alloc(PRMEM_PAGE_SIZE, 16 * PRMEM_PAGE_SIZE);
	if (a.buf == NULL || o.buf == NULL)
		die("out of memory");
	memset(a.buf, 0x5a, 16 * PRMEM_PAGE_SIZE);
	memset(o.buf, 0x5a, 16 * PRMEM_PAGE_SIZE);
	snprintf(path, sizeof path, "%.200s/prmem-bench-%d.other", options.dir, (int)getpid());
	o.store = ops->open(path, o.nr_pages);
	/* Twice, as the engine's pages have been written by now. */
	for (uint32_t i = 0; i < 2 * o.nr_pages; i++)
		ops->write(o.store, i % o.nr_pages, source(&o));
	snprintf(name, sizeof name, "read 4 KiB, random, against %s", ops->name);
	compare(name, (struct work){engine_read, &a}, (struct work){store_read, &o}, 0);
	snprintf(name, sizeof name, "overwrite 4 KiB, random, against %s", ops->name);
	compare(name, (struct work){engine_write, &a}, (struct work){store_write, &o}, 0);
	ops->close(o.store);
	free(a.buf);
	free(o.buf);
}

void
bench_stores(struct bench *b)
{
	if (!wanted("read 4 KiB, random, against libpmemobj, LMDB") &&
	    !wanted("overwrite 4 KiB, random, against libpmemobj, LMDB"))
		return;
#ifdef HAVE_PMEMOBJ
	/* Without persistent memory it calls msync() for each step, and promises what the engine does not there. */
	if (options.pmem)
		against(b, &pmemobj_store);
#else
	report("against libpmemobj: not built (Debian package libpmemobj-dev)", "", 0, 0, 0, 0);
#endif
#ifdef HAVE_LMDB
	against(b, &lmdb_store);
#else
	report("against LMDB: not built (Debian package liblmdb-dev)", "", 0, 0, 0, 0);
#endif
#if !defined(HAVE_PMEMOBJ) && !defined(HAVE_LMDB)
	(void)against;
	(void)b;
#endif
}
