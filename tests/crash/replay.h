/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A log from its beginning to its end, with every moment explored at which a
 * power failure could leave something new.
 *
 * Between two moments without a fence between them what is pending only
 * grows, and what was not there yet is what does not survive: the images of a
 * moment just before a fence or an acknowledgement contain those of all
 * moments since the one before, the ones around each publishing store
 * included, and those just after the fence.  So these moments are explored:
 * just before every fence, before and after every acknowledgement, and before
 * every beginning (what may be seen is laxer from then on).
 */
#ifndef PRMEM_TESTS_REPLAY_H
#define PRMEM_TESTS_REPLAY_H

#include "tests/crash/explore.h"

struct replay {
	struct explorer *ex;
	const struct sim_log *log;
	/* An operation begins or is acknowledged.  Return: false, after explore_fail(), to stop. */
	bool (*mark)(void *opaque, struct explorer *ex, const struct sim_event *event);
	void *opaque;
	size_t at; /* the event under way; for messages */
};

/* replay_run() - Return: false when an image was wrong; ex->why says how. */
bool replay_run(struct replay *replay);

/* replay_context() - the events before the one under way, a line each, for people. */
void replay_context(const struct replay *replay, size_t nr, char *buf, size_t buf_bytes);

#endif
