/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool in a file of its own, for tests of the engine as a whole.
 */
#ifndef PRMEM_TESTS_TEMP_POOL_H
#define PRMEM_TESTS_TEMP_POOL_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prmem/prmem.h"
#include "tests/unit/unit.h"

struct temp_pool {
	char dir[64];
	char path[80];
	uint64_t size_bytes;
	struct prmem_pool *pool;
};

/* Open it again, as a new process would. */
static inline void
temp_pool_open(struct temp_pool *t)
{
	struct prmem_open_args args = {.path = t->path, .pool_size_bytes = t->size_bytes};
	struct prmem_error err;

	if (prmem_open(&args, sizeof args, &t->pool, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
}

static inline void
temp_pool_reopen(struct temp_pool *t)
{
	prmem_close(t->pool);
	temp_pool_open(t);
}

static inline void
temp_pool_make(struct temp_pool *t, uint64_t size_bytes)
{
	const char *base = getenv("TMPDIR");

	snprintf(t->dir, sizeof t->dir, "%.40s/prmem-unit-XXXXXX", base != NULL && strlen(base) <= 40 ? base : "/tmp");
	CHECK(mkdtemp(t->dir) != NULL);
	snprintf(t->path, sizeof t->path, "%s/pool", t->dir);
	t->size_bytes = size_bytes;
	temp_pool_open(t);
}

static inline void
temp_pool_remove(struct temp_pool *t)
{
	prmem_close(t->pool);
	unlink(t->path);
	rmdir(t->dir);
}

static inline struct prmem_disk *
temp_disk(struct temp_pool *t, const char *name, uint64_t size_bytes)
{
	struct prmem_disk_args args = {.name = name, .size_bytes = size_bytes};
	struct prmem_error err = {0};
	struct prmem_disk *disk;
	int r = prmem_disk_create(t->pool, &args, sizeof args, &err);

	if (r < 0 && r != -EEXIST) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
	CHECK_EQ(prmem_disk_open(t->pool, name, &disk, &err), 0);
	return disk;
}

/* Free pages; exact, because what was retired is counted as free. */
static inline uint64_t
temp_pool_free_pages(struct temp_pool *t)
{
	struct prmem_pool_info info;

	prmem_pool_info(t->pool, &info, sizeof info);
	return info.nr_free;
}

#endif
