/* SPDX-License-Identifier: BSD-3-Clause */
/* Making an empty pool. */
#ifndef PRMEM_SUPERBLOCK_CREATE_H
#define PRMEM_SUPERBLOCK_CREATE_H

#include <stdint.h>

#include "common/pm.h"
#include "prmem/format/superblock_format.h"

/*
 * sb_make() - what sb_format() will write, in RAM only.
 * @len_bytes: the length of region 0; what is beyond a pool's greatest size,
 *   or no whole page, is left out
 */
void sb_make(struct sb_media *ret_sb, uint64_t len_bytes, const uint8_t uuid[16], uint64_t created_s,
	     const char *label);

/*
 * sb_format() - make an empty pool of one region.
 * Writes nothing but the two superblocks.
 * @ret_sb: may be NULL
 * @label: may be NULL
 * Context: nobody else has the memory; [0, SB_FORMAT_BYTES) is backed.
 * Persistence: durable on return; interrupted, sb_read() says SB_INTERRUPTED
 *   (or finds what was there before as it was, an old pool with one of its
 *   superblocks marked).
 */
void sb_format(struct pm *pm, struct sb_media *ret_sb, const uint8_t uuid[16], uint64_t created_s, const char *label);

#endif
