/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Added regions: opening those that a superblock names, and letting them go.
 */
#ifndef PRMEM_REGIONS_H
#define PRMEM_REGIONS_H

#include "prmem/core/pool.h"
#include "prmem/format/region_format.h"

struct prmem_open_args;
struct owner_lock;

/*
 * regions_open() - open all added regions that the pool's superblock names.
 * Context: open, before anything of the pool is built.
 * Return: 0; -ENXIO when one is missing or foreign, unless that was allowed
 *   (degraded); or what opening one said.
 */
MUST_CHECK int regions_open(struct prmem_pool *pool, const struct prmem_open_args *args, struct prmem_error *err);

/*
 * regions_note_places() - let the superblock know where the added regions are,
 * so that they are found there the next time.
 * Context: open, nobody else has the pool, which is writable.
 */
void regions_note_places(struct prmem_pool *pool);

/* regions_close() - unmap and unlock all but region 0. */
void regions_close(struct prmem_pool *pool);

#endif
