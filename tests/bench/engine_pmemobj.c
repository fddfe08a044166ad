/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pages in libpmemobj, in the way that costs it least: no transaction with an
 * undo log, but an object that is reserved, written by non-temporal stores, and
 * published together with its place in a table and the freeing of the old one.
 */
#include <libpmemobj.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "tests/bench/engine.h"
#include "tests/bench/engine_stores.h"

/* A place in the table, which is the root object. */
struct place {
	uint64_t off; /* 0: nothing */
	uint64_t crc;
};

struct store {
	PMEMobjpool *pop;
	struct place *table;
	uint64_t uuid;
};

static struct store *
open_store(const char *path, uint32_t nr_pages)
{
	struct store *s = calloc(1, sizeof *s);
	PMEMoid root;

	if (s == NULL)
		die("out of memory");
	s->pop = pmemobj_create(path, "bench", (size_t)nr_pages * PRMEM_PAGE_SIZE * 3 / 2 + (64u << 20), 0600);
	if (s->pop == NULL)
		die("libpmemobj: creating: %s", pmemobj_errormsg());
	unlink(path);
	root = pmemobj_root(s->pop, nr_pages * sizeof *s->table);
	if (OID_IS_NULL(root))
		die("libpmemobj: the table: %s", pmemobj_errormsg());
	s->table = pmemobj_direct(root);
	s->uuid = root.pool_uuid_lo;
	return s;
}

static void
write_page(struct store *s, uint32_t idx, const void *page)
{
	struct place *place = &s->table[idx];
	struct pobj_action actions[4];
	size_t nr = 0;
	PMEMoid new = pmemobj_reserve(s->pop, &actions[nr++], PRMEM_PAGE_SIZE, 1);

	if (OID_IS_NULL(new))
		die("libpmemobj: reserving: %s", pmemobj_errormsg());
	pmemobj_memcpy(s->pop, pmemobj_direct(new), page, PRMEM_PAGE_SIZE,
		       PMEMOBJ_F_MEM_NONTEMPORAL | PMEMOBJ_F_MEM_NODRAIN);
	pmemobj_set_value(s->pop, &actions[nr++], &place->off, new.off);
	pmemobj_set_value(s->pop, &actions[nr++], &place->crc, crc32c(0, page, PRMEM_PAGE_SIZE));
	if (place->off != 0)
		pmemobj_defer_free(s->pop, (PMEMoid){s->uuid, place->off}, &actions[nr++]);
	pmemobj_drain(s->pop);
	if (pmemobj_publish(s->pop, actions, nr) != 0)
		die("libpmemobj: publishing: %s", pmemobj_errormsg());
}

static void
read_page(struct store *s, uint32_t idx, void *ret_page)
{
	struct place *place = &s->table[idx];

	memcpy(ret_page, pmemobj_direct((PMEMoid){s->uuid, place->off}), PRMEM_PAGE_SIZE);
	if (place->crc != crc32c(0, ret_page, PRMEM_PAGE_SIZE))
		die("libpmemobj: page %u is damaged", idx);
}

static void
close_store(struct store *s)
{
	pmemobj_close(s->pop);
	free(s);
}

const struct store_ops pmemobj_store = {"libpmemobj", open_store, write_page, read_page, close_store};
