/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing the superblock of an open pool. */
#ifndef PRMEM_SB_PUBLISH_H
#define PRMEM_SB_PUBLISH_H

#include "common/compiler.h"

struct prmem_pool;
struct sb_media;

/*
 * pool_write_sb() - sb_write() for an open pool: when a sync between the two
 * copies fails it is read-only from then on, as after any failed sync.
 * Context: sb_lock.  Persistence: as sb_write().
 */
void pool_write_sb(struct prmem_pool *pool, struct sb_media *sb);

#endif
