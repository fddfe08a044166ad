/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The superblock: reading both copies, choosing, changing.
 */
#ifndef PRMEM_SUPERBLOCK_H
#define PRMEM_SUPERBLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/pm.h"
#include "prmem/format/superblock_format.h"
#include "prmem/prmem.h"

/* What the two superblocks lie in; a format writes there and nowhere else. */
#define SB_FORMAT_BYTES ((SB_PFN_B + 1) * UINT64_C(4096))

enum sb_state {
	SB_GOOD,         /* *ret_sb is valid, both copies alike */
	SB_REPAIR,       /* *ret_sb is valid, the other copy is damaged or behind */
	SB_BLANK,        /* no superblock: both places all zeroes */
	SB_INTERRUPTED,  /* a format was interrupted */
	SB_FOREIGN,      /* neither place ever held a superblock */
	SB_DAMAGED,      /* both copies are damaged: the magic of one is there */
	SB_NEWER,        /* by a newer version: the error says which bit */
	SB_WRONG,        /* valid CRC, impossible content; the error says what */
};

/*
 * sb_read() - look at both copies; reads only, and believes nothing.
 * @ret_sb: the copy to use, for SB_GOOD and SB_REPAIR; 0 or more else
 * @ret_ro: set when an unknown ro_compat bit forbids writing
 * @what: one line about what was found, for all states but SB_GOOD; it is put
 *   behind "pool PATH: "
 */
enum sb_state sb_read(const struct pm *pm, struct sb_media *ret_sb, bool *ret_ro, struct prmem_error *what);

/*
 * sb_is_behind() - is a copy that differs from the good one what a crash in
 * sb_write() or sb_format() leaves: the one before, one that was not written as
 * a whole, or the mark of a format?
 */
bool sb_is_behind(const struct sb_media *copy, const struct sb_media *good);

/* sb_crc() - the CRC that a superblock should carry. */
uint32_t sb_crc(const struct sb_media *sb);

/*
 * sb_write_both() - write a finished superblock to both places: B, fence, A,
 * fence.  On page cache a sync goes between, so that no crash of the system
 * tears both; if it fails A stays as it was, and later syncs fail
 * (pm_libpmem.h): the pool has to be read-only then (pool_write_sb()).
 * Return: 0, or the sync's -errno.
 */
int sb_write_both(struct pm *pm, const struct sb_media *sb);

/*
 * sb_write() - write a changed superblock.
 * Gives it the next sequence number and its CRC, then sb_write_both().
 * Context: the pool's sb_lock, or nobody else has the pool.
 * Persistence: durable on return; old or new after a crash.
 * Return: as sb_write_both().
 */
int sb_write(struct pm *pm, struct sb_media *sb);

/*
 * sb_repair() - after SB_REPAIR: make the other copy like the good one.
 * @sb: what sb_read() chose
 * Context: nobody else has the pool.
 * Persistence: durable on return; at any moment the good copy is untouched.
 */
void sb_repair(struct pm *pm, const struct sb_media *sb);

#endif
