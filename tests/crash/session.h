/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One pool in a simulated memory: operations are recorded on it, then every
 * image that a crash in them could leave is opened and judged.
 *
 * What is asked of an image, in this order:
 *	1. the invariants of the media (media.h)
 *	2. what was acknowledged is there, what was not is old or new (model.h)
 *	and, the first time that an image is met:
 *	3. it opens, writable and without damage; read-only, it shows the same and
 *	   changes nothing
 *	4. the free pages are those that nothing reaches (P4)
 *	5. opening it wrote only where something was to be repaired, and a
 *	   crash while it did so is explored in the same way
 *	6. a second open writes nothing
 *	7. twenty more operations do what they should, and 1, 2 and 4 hold again
 */
#ifndef PRMEM_TESTS_SESSION_H
#define PRMEM_TESTS_SESSION_H

#include "tests/crash/generate.h"
#include "tests/crash/model.h"
#include "tests/crash/mutant.h"
#include "tests/crash/play_pm.h"
#include "tests/crash/replay.h"
#include "tests/crash/sched.h"
#include "tests/crash/sim_pm.h"
#include "tests/crash/views.h"

#define SESSION_MAX_OPS 256u
#define SESSION_MORE_OPS 20u
#define SESSION_MAX_DEPTH 2u

struct session {
	uint64_t seed;
	struct profile profile; /* of generated operations */
	struct contents *contents;
	struct contents own_contents;
	struct sim_pm sim;
	struct engine engine; /* over sim */
	struct model now; /* what the program has; all is acknowledged */
	uint8_t *start; /* the memory when recording began */
	struct op ops[SESSION_MAX_OPS];
	uint32_t nr_ops;

	struct persist persist;
	struct explorer ex;
	struct explore_target target;
	struct media media; /* of the image under judgement */
	struct media visible; /* of what the program sees */
	struct media in_memory; /* of the memory it works on, while it is recorded */
	struct model model; /* what a crash may leave */
	struct model after; /* what the image should have while it goes on */
	struct engine again; /* over the image */
	struct sim_log broken; /* by a mutant */
	bool threads; /* several threads were recorded */

	unsigned int depth; /* 0; 1 or more: explores a recovery */
	struct session *recovery;
	struct media_secret *secret; /* what a removal with a wipe has to wipe, or NULL */
	struct views *views; /* the pool is in several pieces; or NULL */
	struct views own_views, again_views;
	uint64_t start_pool_bytes; /* as persist.h has it */
	bool foreign; /* what is no pool yet may be something else that only force formats */
	uint64_t nr_recoveries; /* opens that repaired something */
	uint64_t nr_events_broken;
	char why[2048]; /* of a failure */
};

/* session_new() - a new pool.  @idx: the indices that will be used, ascending. */
struct session *session_new(uint64_t seed, uint32_t nr_pages, const uint32_t *idx, uint32_t nr_idx,
			    const struct profile *profile);
void session_delete(struct session *session);

/*
 * session_new_views() - a pool that can grow, in a memory of @nr_pages_whole:
 * its file, or by a region behind it, of which @region_path is the name.
 */
struct session *session_new_views(uint64_t seed, uint32_t nr_pages, uint32_t nr_pages_whole, const char *region_path,
				  const uint32_t *idx, uint32_t nr_idx, const struct profile *profile);

/*
 * session_new_on() - the same, but the memory holds something else, and is
 * not opened yet.
 */
struct session *session_new_on(uint64_t seed, const void *memory, uint32_t nr_pages, const uint32_t *idx,
			       uint32_t nr_idx, const struct profile *profile);

/* session_do() - an operation that is not recorded.  Return: false with ->why. */
MUST_CHECK bool session_do(struct session *session, const struct op *op);

/* session_look() - what is there now: walk the memory that operations work on. */
const struct media *session_look(struct session *session);

/* session_record_start(), session_record() - begin to record; record an operation. */
void session_record_start(struct session *session);

/* session_rewind() - back to what session_record_start() met, with the pool opened anew. */
void session_rewind(struct session *session);
MUST_CHECK bool session_record(struct session *session, const struct op *op);

/* session_record_threads() - record operations of several threads, under a schedule. */
MUST_CHECK bool session_record_threads(struct session *session, const struct op *ops, const uint32_t *nr_ops,
				       unsigned int nr_threads, const struct schedule *schedule,
				       struct sched_trace *ret_trace);

/*
 * session_explore() - judge all images of what was recorded.
 * @mutant: how the program is broken, or NULL
 * Return: false with ->why when one of them is wrong.
 */
MUST_CHECK bool session_explore(struct session *session, const struct mutant *mutant);

/* session_random_op() - an operation that is possible now. */
struct op session_random_op(struct session *session);

#endif
