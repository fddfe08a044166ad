/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workloads that are written down: making a pool where something else was.
 */
#include "tests/crash/workload.h"

#include <stdlib.h>
#include <string.h>

#include "common/mix64.h"

enum before { BLANK, FOREIGN, OLD_POOL, OLD_POOL_BY_A, OLD_POOL_BY_B };

/* Make a pool of what holds one, or something else, or nothing. */
static bool
format(struct run *run, const struct workload *workload)
{
	enum before before = (enum before)(uintptr_t)workload->opaque;
	const struct op make = {.type = OP_FORMAT,
				.old = before == BLANK ? PRMEM_FORMAT_AUTO : PRMEM_FORMAT_FORCE};
	struct session *session;
	bool ok = true;

	if (before >= OLD_POOL) {
		session = session_new(run->seed, 64, indices_near.idx, indices_near.nr, &profile_mixed);
		for (unsigned int i = 0; ok && i < 30; i++) {
			struct op op = session_random_op(session);

			ok = session_do(session, &op);
		}
		if (before > OLD_POOL && session->engine.pool) {
			/* One superblock of the old pool is damaged already. */
			engine_close(&session->engine);
			memset((char *)session->sim.pm.base + (before == OLD_POOL_BY_B ? 0 : 32 * 4096), 0x5a, 100);
		}
	} else {
		uint64_t *memory = calloc(64, 4096);

		if (!memory)
			abort();
		for (uint64_t i = 0; before == FOREIGN && i < 64 * 512; i++)
			memory[i] = mix64(run->seed + i);
		session = session_new_on(run->seed, memory, 64, indices_near.idx, indices_near.nr, &profile_mixed);
		session->foreign = before == FOREIGN;
		free(memory);
	}
	session_record_start(session);
	ok = ok && session_record(session, &make);
	/* The pool must be good for something, too. */
	for (unsigned int i = 0; ok && i < 6; i++) {
		struct op op = session_random_op(session);

		ok = session_record(session, &op);
	}
	ok = ok && run_explore(run, session);
	return run_end(run, session, ok);
}

const struct workload script_workloads[] = {
	{"format-blank", "make a pool of blank memory", format, .max_images = 4000, .opaque = (void *)BLANK},
	{"format-foreign", "make a pool where something else was", format, .max_images = 4000, .opaque = (void *)FOREIGN},
	{"format-again", "make a pool where another one was", format, .max_images = 4000, .opaque = (void *)OLD_POOL},
	{"format-half-a", "the same, with superblock B of it damaged", format, .max_images = 4000,
	 .opaque = (void *)OLD_POOL_BY_A},
	{"format-half-b", "the same, with superblock A of it damaged", format, .max_images = 4000,
	 .opaque = (void *)OLD_POOL_BY_B},
};
const unsigned int nr_script_workloads = ARRAY_SIZE(script_workloads);
