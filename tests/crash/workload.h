/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The workloads of the crash test.
 */
#ifndef PRMEM_TESTS_WORKLOAD_H
#define PRMEM_TESTS_WORKLOAD_H

#include "tests/crash/session.h"

/* One run of a workload, and what came of it. */
struct run {
	uint64_t seed;
	struct mutant mutant;
	bool with_mutant;
	bool brief; /* some of the schedules only */
	uint64_t max_images; /* distinct ones, of this run; 0: as many as there are */

	uint64_t nr_walked; /* images */
	uint64_t nr_distinct;
	uint64_t nr_points;
	uint64_t nr_sampled;
	uint64_t nr_recoveries;
	uint64_t nr_schedules;
	uint64_t nr_broken; /* events that the mutant changed */
	char why[2048];
};

struct workload {
	const char *name;
	const char *what;
	bool (*fn)(struct run *run, const struct workload *workload);
	bool rare; /* most of its images differ in a few pages only: not in every round */
	bool once; /* the same whatever the seed: one run is enough */
	uint64_t max_images; /* of a run; 0: as many as there are */
	const void *opaque;
};

extern const struct workload profile_workloads[], script_workloads[], thread_workloads[], repair_workloads[];
extern const struct workload replace_workloads[];
extern const unsigned int nr_profile_workloads, nr_script_workloads, nr_thread_workloads, nr_repair_workloads;
extern const unsigned int nr_replace_workloads;

/* Sets of indices, ascending. */
struct index_set {
	uint32_t nr;
	uint32_t idx[MODEL_MAX_INDICES];
};

extern const struct index_set indices_near; /* a few leaves */
extern const struct index_set indices_mixed; /* near and far, in runs */
extern const struct index_set indices_dense; /* more than a small pool has pages */
extern const struct index_set indices_tall; /* one or two of every height but the highest */
extern const struct index_set indices_tallest; /* up to the last index there is */

/* run_explore() - session_explore() as the run wants it. */
MUST_CHECK bool run_explore(struct run *run, struct session *session);

/*
 * run_rounds() - random operations and all that a crash in them leaves, round
 * after round: @nr_rounds with a mutant, otherwise until there are enough.
 */
MUST_CHECK bool run_rounds(struct run *run, struct session *session, unsigned int nr_rounds);

/* run_end() - count what a session did, and delete it.  Return: @ok. */
bool run_end(struct run *run, struct session *session, bool ok);

/* run_is_full() - have enough images been judged? */
bool run_is_full(const struct run *run, const struct session *session);

#endif
