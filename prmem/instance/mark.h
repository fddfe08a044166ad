/* SPDX-License-Identifier: BSD-3-Clause */
/* The mark at open. */
#ifndef PRMEM_MARK_H
#define PRMEM_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "xarray/xarray_format.h"

struct directory;
struct prmem_pool;

/*
 * mark_instances() - walk the arrays of all instances by @nr_threads threads
 * and mark what they reach.
 * Return: 0, -ENOMEM; damage is counted, structural damage makes the pool
 *   read-only.
 */
MUST_CHECK int mark_instances(struct directory *dir, unsigned int nr_threads);

/*
 * mark_object() - mark what a slot's kind and payload name.
 * Return: false when it cannot be: it lies outside of the pool, or is no
 *   such thing.
 */
bool mark_object(struct prmem_pool *pool, enum xa_kind kind, uint32_t payload);

/* mark_node() - the same for a node. */
bool mark_node(struct prmem_pool *pool, uint32_t pfn);

#endif
