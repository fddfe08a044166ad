/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects that a program took by prmem_alloc_pages() or prmem_alloc(): from
 * an address back to what a slot needs to know.
 */
#ifndef PRMEM_OBJECT_H
#define PRMEM_OBJECT_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "xarray/xarray.h"
#include "xarray/xarray_format.h"

struct prmem_pool;

struct object {
	enum xa_kind kind;   /* page, run or buffer */
	uint32_t payload;    /* of its slot */
	const void *start;   /* what its proof covers: a buffer's header included */
	size_t len_bytes;
};

/*
 * object_find() - the object that starts at an address.
 * Orders of runs are remembered in RAM from prmem_alloc_pages() until the run
 * is freed.
 * Context: takes the object table's lock (innermost).
 * Return: 0, -EINVAL when there is none.
 */
MUST_CHECK int object_find(struct prmem_pool *pool, const void *addr, struct object *ret_object);

/*
 * object_of_slot() - the object that a slot's kind and payload name, from
 * media; believes nothing: it lies inside the pool as a whole.
 * Return: 0, -EIO.
 */
MUST_CHECK int object_of_slot(struct prmem_pool *pool, enum xa_kind kind, uint32_t payload, struct object *ret_object);

/* object_run_order(), object_run_pfn() - what a run's payload says; order is at least 1. */
static inline unsigned int
object_run_order(uint32_t payload)
{
	return payload == 0 ? 0 : (unsigned int)__builtin_ctz(payload) + 1;
}

static inline uint32_t
object_run_pfn(uint32_t payload)
{
	return payload & (payload - 1);
}

static inline uint32_t
object_run_payload(uint32_t pfn, unsigned int order)
{
	return pfn | 1u << (order - 1);
}

/* object_retire() - free what an entry refers to when its last owner is gone. */
void object_retire(struct prmem_pool *pool, xa_entry_t entry);

#endif
