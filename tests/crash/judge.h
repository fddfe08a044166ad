/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The questions that are asked of an image (session.h).
 */
#ifndef PRMEM_TESTS_JUDGE_H
#define PRMEM_TESTS_JUDGE_H

#include "tests/crash/session.h"

/* For struct explore_target; @opaque is the session. */
uint64_t judge_walk(void *opaque, struct explorer *ex);
bool judge_image(void *opaque, struct explorer *ex, bool fresh);

/* session_bare() - a session without a pool; @contents: shared, or NULL. */
struct session *session_bare(uint64_t seed, uint32_t nr_pages, struct contents *contents);

/* session_replay() - explore a log from persist's base on. */
MUST_CHECK bool session_replay(struct session *session, const struct sim_log *log);

#endif
