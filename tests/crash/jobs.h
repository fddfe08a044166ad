/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs of workloads in processes of their own, some at a time: what one does
 * (crash, too) does not touch the others.
 */
#ifndef PRMEM_TESTS_JOBS_H
#define PRMEM_TESTS_JOBS_H

#include "tests/crash/workload.h"

struct job {
	const struct workload *workload;
	struct run run; /* what to do; afterwards, what came of it */
	bool ok; /* no image was wrong */
	int died; /* of this signal, or 0 */
	unsigned int number; /* the caller's */
};

struct jobs {
	unsigned int max; /* at a time */
	unsigned int nr;
	void (*done)(void *opaque, const struct job *job);
	void *opaque;
	struct running_job *running;
};

void jobs_init(struct jobs *jobs, unsigned int max, void (*done)(void *opaque, const struct job *job), void *opaque);

/* jobs_start() - run one; waits for another one to end if there are too many. */
void jobs_start(struct jobs *jobs, const struct job *job);

/* jobs_wait() - wait for all. */
void jobs_wait(struct jobs *jobs);

#endif
