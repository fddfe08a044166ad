/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repairing a pool: what its files share.
 *
 * Everything is put right by single 8-byte stores in place.  Nothing is
 * allocated: which pages are free is not known while a part of the index
 * cannot be read.
 */
#ifndef PRMEM_REPAIR_TYPES_H
#define PRMEM_REPAIR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/pm.h"

struct check;
struct prmem_instance;
struct prmem_pool;
struct xarray;

/* A slot of the directory that could not be put right by itself. */
struct lost_slot {
	uint32_t number;
	uint32_t pfn; /* of the node it is in */
	pm_slot *slot;
};

struct repair {
	struct check *c;
	struct prmem_pool *pool;
	struct prmem_instance *inst; /* whose array it is; NULL: the directory */
	struct xarray *xa;
	uint64_t nr_pages_of_disk; /* indices from here on hold nothing */
	bool scrub;
	struct lost_slot *lost; /* of the directory */
	size_t nr_lost, max_lost;
	int error; /* ends it: what keep() said, -ENOMEM, -ECANCELED */
};

#endif
