/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/mutate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/jobs.h"

#define MUTANT_ROUNDS 3u /* seeds to try each workload with, for the mutants that are left */
#define MUTANT_MAX_IMAGES 6000u /* of each run */

/* Mutants that are not planted, and why.  A mode of MUTANT_NR_MODES stands for all. */
static const struct {
	enum pm_site site;
	enum mutant_mode mode;
	const char *why;
} left_out[] = {
	{PM_SITE_OWNER_COPY, MUTANT_NR_MODES,
	 "no image depends on it: after a crash its boot or its process is gone, and torn it counts as none"},
	{PM_SITE_OWNER_FENCE, MUTANT_NR_MODES,
	 "orders what other processes see while the server lives; no image depends on it"},
};

struct trial {
	struct mutant mutant;
	unsigned int next; /* workload and round to try next */
	bool caught;
	bool died;
	uint64_t nr_broken;
	char how[160];
};

struct trials {
	struct mutate *mutate;
	struct trial *list;
	unsigned int nr;
};

static const char *
why_left_out(const struct mutant *mutant)
{
	for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
		if (left_out[i].site == mutant->site &&
		    (left_out[i].mode == mutant->mode || left_out[i].mode == MUTANT_NR_MODES))
			return left_out[i].why;
	return NULL;
}

static void
name_of(const struct mutant *mutant, char *buf, size_t buf_bytes)
{
	snprintf(buf, buf_bytes, "%s %s", sim_site_name(mutant->site), mutant_mode_name(mutant->mode));
}

static void
tried(void *opaque, const struct job *job)
{
	struct trials *trials = opaque;
	struct trial *trial = &trials->list[job->number];

	trial->nr_broken += job->run.nr_broken;
	if (job->ok || trial->caught)
		return;
	if (job->died) {
		trial->died = true;
		snprintf(trial->how, sizeof trial->how, "%s -s %" PRIu64 ": signal %d", job->workload->name,
			 job->run.seed, job->died);
		return;
	}
	trial->caught = true;
	snprintf(trial->how, sizeof trial->how, "%s -s %" PRIu64 ": %.*s", job->workload->name, job->run.seed,
		 (int)strcspn(job->run.why, ";\n"), job->run.why);
}

static void
plant(struct trials *trials, const struct mutate *mutate)
{
	unsigned int n = 0;

	for (unsigned int site = 0; site < PM_NR_SITES; site++)
		for (unsigned int mode = 0; mode < MUTANT_NR_MODES; mode++) {
			struct mutant mutant = {site, (enum mutant_mode)mode};
			char name[80];

			if (!mutant_makes_sense(&mutant) || n++ % mutate->one_in != 0)
				continue;
			if (mutate->site && strcmp(mutate->site, sim_site_name(site)) != 0)
				continue;
			if (why_left_out(&mutant)) {
				trials->mutate->nr_left_out++;
				if (mutate->verbose) {
					name_of(&mutant, name, sizeof name);
					printf("mutant  left out  %-38s %s\n", name, why_left_out(&mutant));
				}
				continue;
			}
			trials->list[trials->nr++].mutant = mutant;
		}
}

static void
report(struct trials *trials)
{
	struct mutate *mutate = trials->mutate;

	for (unsigned int i = 0; i < trials->nr; i++) {
		const struct trial *trial = &trials->list[i];
		char name[80];

		mutate->nr_planted++;
		mutate->nr_caught += trial->caught && !trial->died;
		name_of(&trial->mutant, name, sizeof name);
		if (trial->died)
			printf("mutant  CRASHED   %-38s %s\n", name, trial->how);
		else if (!trial->caught)
			printf("mutant  SURVIVED  %-38s %" PRIu64 " events were broken\n", name, trial->nr_broken);
		else if (mutate->verbose)
			printf("mutant  caught    %-38s %s\n", name, trial->how);
	}
}

bool
mutate_all(struct mutate *mutate)
{
	struct trials trials = {.mutate = mutate};
	unsigned int nr_tries = MUTANT_ROUNDS * mutate->nr_workloads;
	struct jobs jobs;

	trials.list = calloc((size_t)PM_NR_SITES * MUTANT_NR_MODES, sizeof *trials.list);
	if (!trials.list)
		abort();
	plant(&trials, mutate);
	jobs_init(&jobs, mutate->nr_jobs, tried, &trials);
	/* All mutants against one workload, then those that are left against the next one. */
	for (unsigned int try = 0; try < nr_tries; try++) {
		const struct workload *workload = mutate->workloads[try % mutate->nr_workloads];
		unsigned int round = try / mutate->nr_workloads;

		if (round > 0 && workload->once)
			continue;
		for (unsigned int i = 0; i < trials.nr; i++) {
			struct job job = {
				.workload = workload,
				.run = {.seed = mutate->seed + 1000 * round + try,
					.mutant = trials.list[i].mutant,
					.with_mutant = true,
					.max_images = MUTANT_MAX_IMAGES},
				.number = i,
			};

			if (!trials.list[i].caught && !trials.list[i].died)
				jobs_start(&jobs, &job);
		}
	}
	jobs_wait(&jobs);
	report(&trials);
	free(trials.list);
	return mutate->nr_caught == mutate->nr_planted;
}
