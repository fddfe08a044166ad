/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An image that a crash left, as a memory to go on with: common/pm.h over the
 * explorer's work image, which gets every page back that is changed.
 */
#ifndef PRMEM_TESTS_PLAY_PM_H
#define PRMEM_TESTS_PLAY_PM_H

#include "tests/crash/explore.h"

struct play_pm {
	struct pm pm;
	struct explorer *ex;
	uint64_t nr_changes; /* writes that made a byte differ */
};

void play_pm_init(struct play_pm *play, struct explorer *ex);

/* play_user_write() - a program writes into an object of its own. */
void play_user_write(struct play_pm *play, void *dst, const void *src, size_t len_bytes);

#endif
