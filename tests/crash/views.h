/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool of several pieces, in one simulated or played memory: the file that
 * it began in, what that file has grown by, and an added region.  Each piece
 * is a struct pm of its own which hands everything on to that of the whole.
 */
#ifndef PRMEM_TESTS_VIEWS_H
#define PRMEM_TESTS_VIEWS_H

#include "common/pm.h"

#define VIEWS_MAX 6u

struct views;

struct view {
	struct pm pm;
	struct views *views;
};

struct views {
	struct pm *whole;
	uint64_t pool_bytes; /* length of the pool's own file */
	uint64_t region_off; /* where the added region lies, up to the end of the whole */
	char region_path[64]; /* a file that stands for it: for names and locks */
	/* The file has another length now. */
	void (*lengthened)(struct pm *whole, uint64_t pool_bytes);
	struct view list[VIEWS_MAX];
	unsigned int nr;
};

/*
 * views_open() - the pool's own piece of @whole, for pool_open_pm().  From
 * then on the file of the region is mapped to its piece, too.
 */
struct pm *views_open(struct views *views, struct pm *whole);

#endif
