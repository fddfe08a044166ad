/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store of 4 KiB pages that is not prmem.  Each ends the program on failure.
 */
#ifndef PRMEM_TESTS_BENCH_ENGINE_STORES_H
#define PRMEM_TESTS_BENCH_ENGINE_STORES_H

#include <stdint.h>

struct store;

struct store_ops {
	const char *name;
	/* A new one.  No file is left at @path, whatever ends the program. */
	struct store *(*open)(const char *path, uint32_t nr_pages);
	/* Durable and atomic, with a CRC-32C of the page. */
	void (*write)(struct store *store, uint32_t idx, const void *page);
	/* A copy whose CRC is checked. */
	void (*read)(struct store *store, uint32_t idx, void *ret_page);
	void (*close)(struct store *store);
};

extern const struct store_ops lmdb_store, pmemobj_store;

#endif
