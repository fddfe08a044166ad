/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All mutants, each against the workloads until one of them finds fault.
 */
#ifndef PRMEM_TESTS_MUTATE_H
#define PRMEM_TESTS_MUTATE_H

#include "tests/crash/workload.h"

struct mutate {
	uint64_t seed;
	unsigned int nr_jobs;
	unsigned int one_in; /* try one of so many only; 1: all */
	const char *site; /* only these, or NULL */
	bool verbose;
	const struct workload *const *workloads; /* in the order in which they are tried */
	unsigned int nr_workloads;

	unsigned int nr_planted;
	unsigned int nr_caught;
	unsigned int nr_left_out; /* known to be no bug, or not reached; with a reason each */
};

/* mutate_all() - Return: true when every one that was planted was caught. */
bool mutate_all(struct mutate *mutate);

#endif
