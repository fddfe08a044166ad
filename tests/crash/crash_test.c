/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The crash test: every image that a power failure could leave of every
 * workload, and every mutant of every site.
 *
 *	crash_test [-s SEED] [-j JOBS] [--images N] [--workload NAME]
 *	           [--mutants | --no-mutants] [--site SITE] [--short] [-v] [--list]
 *
 * --images N	go on until N distinct images have been judged, 5000000 or 5e6
 *		(CRASH_IMAGES in the environment is the same)
 * --workload	only this one; with -s as a failure prints it, it is repeated
 * --mutants	only mutants; --no-mutants: none; --site: only those of a site
 * --short	a few seconds: each workload a little, some mutants
 *
 * An image is distinct when no other one of its run reaches the same bytes;
 * runs differ by their seed, and with it in the pool's UUID and all contents.
 */
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/jobs.h"
#include "tests/crash/mutate.h"

#define IMAGES_DEFAULT UINT64_C(1000000)
#define IMAGES_SHORT UINT64_C(6000)
#define IMAGES_A_RUN 20000u
#define MAX_WORKLOADS 64u

struct totals {
	uint64_t nr_distinct, nr_walked, nr_schedules, nr_recoveries, nr_sampled;
	unsigned int nr_failed;
	unsigned int nr_lines; /* of failures, printed */
	unsigned int nr_runs;
	bool brief;
	bool verbose;
	uint64_t of_workload[MAX_WORKLOADS];
};

static const struct workload *all[MAX_WORKLOADS];
static unsigned int nr_all;

static void
collect(void)
{
	for (unsigned int i = 0; i < nr_profile_workloads; i++)
		all[nr_all++] = &profile_workloads[i];
	for (unsigned int i = 0; i < nr_script_workloads; i++)
		all[nr_all++] = &script_workloads[i];
	for (unsigned int i = 0; i < nr_repair_workloads; i++)
		all[nr_all++] = &repair_workloads[i];
	for (unsigned int i = 0; i < nr_thread_workloads; i++)
		all[nr_all++] = &thread_workloads[i];
	for (unsigned int i = 0; i < nr_replace_workloads; i++)
		all[nr_all++] = &replace_workloads[i];
}

static void
done(void *opaque, const struct job *job)
{
	struct totals *totals = opaque;
	const struct run *run = &job->run;

	totals->nr_runs++;
	totals->nr_distinct += run->nr_distinct;
	totals->nr_walked += run->nr_walked;
	totals->nr_schedules += run->nr_schedules;
	totals->nr_recoveries += run->nr_recoveries;
	totals->nr_sampled += run->nr_sampled;
	totals->of_workload[job->number] += run->nr_distinct;
	if (job->ok)
		return;
	totals->nr_failed++;
	if (totals->nr_lines++ < 10) {
		printf("FAIL  --workload %s -s %" PRIu64, job->workload->name, run->seed);
		if (job->died)
			printf(": signal %d", job->died);
		printf("\n\t%s\n", run->why);
	}
}

static void
explore_all(struct totals *totals, uint64_t seed, unsigned int nr_jobs, uint64_t nr_images, const char *only)
{
	uint64_t max = nr_images < IMAGES_DEFAULT ? nr_images / nr_all + 1 : IMAGES_A_RUN;
	struct jobs jobs;

	jobs_init(&jobs, nr_jobs, done, totals);
	for (unsigned int round = 0; round == 0 || (totals->nr_distinct < nr_images && totals->nr_failed == 0); round++)
		for (unsigned int i = 0; i < nr_all; i++) {
			struct job job = {.workload = all[i], .number = i};

			if (only ? strcmp(only, all[i]->name) != 0
				 : round > 0 && (all[i]->once || (all[i]->rare && round % 8 != 0)))
				continue;
			/* So that the seed a failure prints repeats it with --workload alone. */
			job.run.seed = seed + (only ? 0 : i) + 1000 * (uint64_t)round;
			job.run.brief = totals->brief;
			job.run.max_images = only		  ? MIN(nr_images, IMAGES_A_RUN)
					     : all[i]->max_images ? MIN(max, all[i]->max_images)
								  : max;
			jobs_start(&jobs, &job);
			if (only && all[i]->once)
				nr_images = 0;
		}
	jobs_wait(&jobs);
}

static int
list(void)
{
	for (unsigned int i = 0; i < nr_all; i++)
		printf("%-20s %s\n", all[i]->name, all[i]->what);
	return 0;
}

/* 5000000 and 5e6 alike. */
static uint64_t
number(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= 1 && value <= 1e15)) {
		fprintf(stderr, "crash_test: %s is no number of images: 5000000 and 5e6 are\n", text);
		exit(2);
	}
	return (uint64_t)value;
}

static bool
is_known(const char *name)
{
	for (unsigned int i = 0; i < nr_all; i++)
		if (strcmp(all[i]->name, name) == 0)
			return true;
	return false;
}

static int
usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [-s seed] [-j jobs] [--images n] [--workload name] [--mutants | --no-mutants] [--site site] "
		"[--short] [-v] [--list]\n",
		name);
	return 2;
}

/* Not by time(), which the program under test is lied to about. */
static uint64_t
fresh_seed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)now.tv_sec % 1000000 * 1000 + (uint64_t)now.tv_nsec / 1000000) * 1000;
}

int
main(int argc, char **argv)
{
	enum { IMAGES = 256, WORKLOAD, MUTANTS, NO_MUTANTS, SITE, SHORT, LIST };
	static const struct option options[] = {
		{"images", required_argument, NULL, IMAGES}, {"workload", required_argument, NULL, WORKLOAD},
		{"mutants", no_argument, NULL, MUTANTS},     {"no-mutants", no_argument, NULL, NO_MUTANTS},
		{"site", required_argument, NULL, SITE},     {"short", no_argument, NULL, SHORT},
		{"list", no_argument, NULL, LIST},	     {NULL, 0, NULL, 0},
	};
	uint64_t seed = fresh_seed(), nr_images = IMAGES_DEFAULT;
	struct mutate mutate = {.one_in = 1, .workloads = all};
	unsigned int nr_jobs = (unsigned int)MAX(1, sysconf(_SC_NPROCESSORS_ONLN));
	bool images = true, mutants = true;
	struct totals totals = {0};
	const char *only = NULL;
	int opt;

	collect();
	/* What an open takes and gives back is not to go to the system and back each time. */
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	if (getenv("CRASH_IMAGES"))
		nr_images = number(getenv("CRASH_IMAGES"));
	while ((opt = getopt_long(argc, argv, "s:j:v", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'j':
			nr_jobs = (unsigned int)MAX(1, atoi(optarg));
			break;
		case 'v':
			totals.verbose = mutate.verbose = true;
			break;
		case IMAGES:
			nr_images = number(optarg);
			break;
		case WORKLOAD:
			only = optarg;
			mutants = false;
			break;
		case SITE:
			mutate.site = optarg;
			images = false;
			break;
		case MUTANTS:
			images = false;
			break;
		case NO_MUTANTS:
			mutants = false;
			break;
		case SHORT:
			nr_images = IMAGES_SHORT;
			mutate.one_in = 7;
			totals.brief = true;
			break;
		case LIST:
			return list();
		default:
			return usage(argv[0]);
		}
	}
	if (only && !is_known(only)) {
		fprintf(stderr, "%s: there is no workload %s: --list names them\n", argv[0], only);
		return 2;
	}
	printf("seed %" PRIu64 " (repeat with -s %" PRIu64 "), %u slots a node\n", seed, seed, XA_CHUNK_SIZE);
	if (images) {
		struct timespec from, to;

		clock_gettime(CLOCK_MONOTONIC, &from);
		explore_all(&totals, seed, nr_jobs, nr_images, only);
		clock_gettime(CLOCK_MONOTONIC, &to);
		for (unsigned int i = 0; totals.verbose && i < nr_all; i++)
			printf("%-20s %" PRIu64 " images\n", all[i]->name, totals.of_workload[i]);
		printf("crash images explored: %" PRIu64 " distinct, %" PRIu64 " walked, in %.0f s\n",
		       totals.nr_distinct, totals.nr_walked, difftime(to.tv_sec, from.tv_sec));
		printf("distinct workloads: %u, of %u kinds; %" PRIu64 " schedules of threads, %" PRIu64
		       " recoveries; %u failed\n",
		       totals.nr_runs, only ? 1 : nr_all, totals.nr_schedules, totals.nr_recoveries, totals.nr_failed);
	}
	if (mutants) {
		mutate.seed = seed;
		mutate.nr_jobs = nr_jobs;
		mutate.nr_workloads = nr_all;
		if (!mutate_all(&mutate))
			totals.nr_failed++;
		printf("mutants: %u caught of %u planted; %u left out with a reason\n", mutate.nr_caught,
		       mutate.nr_planted, mutate.nr_left_out);
	}
	return totals.nr_failed ? 1 : 0;
}
