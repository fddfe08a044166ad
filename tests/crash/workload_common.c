/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/workload.h"

#include <stdio.h>

#define OPS_A_ROUND 12u

const struct index_set indices_near = {
	24,
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23},
};

const struct index_set indices_dense = {
	80,
	{0,  1,	 2,  3,	 4,  5,	 6,  7,	 8,  9,	 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53,
	 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79},
};

/* A mark task for each 2^18 indices makes higher trees slow to open; one workload has them. */
const struct index_set indices_tallest = {
	8, {0, 1, 1u << 18, 1u << 27, 1u << 31, (1u << 31) + 1, UINT32_MAX - 1, UINT32_MAX}};

#if XA_CHUNK_SHIFT == 9
const struct index_set indices_mixed = {
	34,
	{0,  1,	 2,  3,	 4,  5,	 6,  7,	  8,   9,   10,	 11,  12,   13,	  14,	15,	16,
	 17, 18, 19, 20, 21, 22, 23, 509, 510, 511, 512, 513, 1023, 1024, 1025, 262144, 262145},
};
const struct index_set indices_tall = {
	10,
	{0, 1, 510, 511, 512, 1023, 262142, 262143, 262144, 524287},
};
#else
const struct index_set indices_mixed = {
	34,
	{0,  1,	 2,  3,	 4,  5,	 6,  7,	 8,  9,	 10, 11,  12,  13,  14,	  15,	16,
	 17, 18, 19, 20, 21, 22, 23, 62, 63, 64, 65, 255, 256, 257, 1022, 1023, 1024},
};
const struct index_set indices_tall = {
	20,
	{0, 1, 3, 4, 15, 16, 63, 64, 255, 256, 1023, 1024, 4095, 4096, 16383, 16384, 65535, 65536, 262142, 262143},
};
#endif

bool
run_explore(struct run *run, struct session *session)
{
	session->ex.max_judged =
		run->max_images > run->nr_distinct ? run->max_images - run->nr_distinct : run->max_images;
	return session_explore(session, run->with_mutant ? &run->mutant : NULL);
}

bool
run_end(struct run *run, struct session *session, bool ok)
{
	for (const struct session *s = session; s; s = s->recovery) {
		run->nr_walked += s->ex.nr_walked;
		run->nr_distinct += s->ex.nr_distinct;
		run->nr_points += s->ex.nr_points;
		run->nr_sampled += s->ex.nr_sampled;
		run->nr_recoveries += s->nr_recoveries;
		run->nr_broken += s->nr_events_broken;
	}
	if (!ok)
		snprintf(run->why, sizeof run->why, "%s", session->why);
	session_delete(session);
	return ok;
}

bool
run_is_full(const struct run *run, const struct session *session)
{
	return run->max_images && run->nr_distinct + *session->ex.nr_judged >= run->max_images;
}

bool
run_rounds(struct run *run, struct session *session, unsigned int nr_rounds)
{
	bool ok = true;

	for (unsigned int round = 0; ok && (round < nr_rounds || !run->with_mutant) && !run_is_full(run, session);
	     round++) {
		session_record_start(session);
		for (unsigned int i = 0; ok && i < OPS_A_ROUND; i++) {
			struct op op = session_random_op(session);

			ok = session_record(session, &op);
		}
		ok = ok && run_explore(run, session);
	}
	return ok;
}
