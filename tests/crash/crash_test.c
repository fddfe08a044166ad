/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/crash/determinism.h"
#include "tests/crash/workload.h"
static int go(const struct workload *w, unsigned nr, uint64_t seed, uint64_t n, const char *name)
{
	int bad=0;
	for (unsigned j = 0; j < nr; j++, w++) {
	if (name && strcmp(name, w->name)) continue;
	struct run t = {0}; clock_t c = clock();
	for (uint64_t i = 0; i < n; i++) {
		struct run run = {.seed = seed + i};
		determinism_start(run.seed);
		bool ok = w->fn(&run, w);
		t.nr_walked += run.nr_walked; t.nr_distinct += run.nr_distinct; t.nr_points += run.nr_points; t.nr_sampled += run.nr_sampled; t.nr_recoveries += run.nr_recoveries; t.nr_schedules += run.nr_schedules;
		if (!ok) { printf("%s seed %" PRIu64 " FAIL %s\n", w->name, run.seed, run.why); bad=1; break; }
	}
	double s = (double)(clock() - c) / CLOCKS_PER_SEC;
	printf("%-20s walked %8" PRIu64 " distinct %8" PRIu64 " points %" PRIu64 " sampled %" PRIu64 " rec %" PRIu64 " sched %lu %.2f s %.0f/s\n", w->name, t.nr_walked, t.nr_distinct, t.nr_points, t.nr_sampled, t.nr_recoveries, t.nr_schedules, s, t.nr_distinct/s);
	}
	return bad;
}
int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1],0,0) : 1, n = argc > 2 ? strtoull(argv[2],0,0) : 1; const char *name = argc > 3 ? argv[3] : 0;
	setvbuf(stdout, 0, _IOLBF, 0);
	int b = go(profile_workloads, nr_profile_workloads, seed, n, name);
	b |= go(script_workloads, nr_script_workloads, seed, n, name);
	return b;
}
