/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small pool in ordinary memory that takes back what is written to it, so
 * that millions of damaged images can be opened without copying each.
 */
#ifndef PRMEM_TESTS_MEM_POOL_H
#define PRMEM_TESTS_MEM_POOL_H

#include "common/pm.h"
#include "prmem/core/pool.h"

#define MEM_POOL_PAGE 4096u

struct mem_undo {
	uint32_t off;
	uint32_t at; /* in ->old */
	uint32_t len_bytes;
};

struct mem_pm {
	struct pm pm;
	uint8_t *image; /* between two pages that nobody may touch */
	uint64_t max_bytes;
	bool keep; /* remember what is overwritten */
	struct mem_undo *undo;
	uint32_t nr_undo, max_undo;
	uint8_t *old;
	uint32_t nr_old, max_old;
};

/* mem_pm_make() - memory of zeroes.  Context: any. */
void mem_pm_make(struct mem_pm *mem, uint64_t len_bytes);

/* mem_pm_free() */
void mem_pm_free(struct mem_pm *mem);

/* mem_pm_take_back() - undo all that was written since ->keep was set, newest first. */
void mem_pm_take_back(struct mem_pm *mem);

/*
 * mem_poke() - change bytes as damage would; taken back like everything else.
 */
void mem_poke(struct mem_pm *mem, uint64_t off, const void *bytes, size_t len_bytes);

/* mem_pool_open() - open it as prmem_open() would.  Return: as prmem_open(). */
int mem_pool_open(struct mem_pm *mem, struct prmem_pool **ret_pool, struct prmem_error *err);

#endif
