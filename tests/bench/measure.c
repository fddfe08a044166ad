/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timing in turns.  A machine's speed changes while it is measured; two
 * works that take turns every few milliseconds see the same machine.  What is
 * counted is the time of the thread, not of the clock: another program that
 * takes the CPU away disturbs less.  Nothing that is timed here sleeps.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/engine.h"

struct options options = {
	.disk_bytes = UINT64_C(256) << 20,
	.rounds = 101,
	.slice_s = 0.003,
	.dir = "/dev/shm",
	.pmem = true,
	.requests = true,
	.pools = true,
};

bool
wanted(const char *name)
{
	return options.only == NULL || strstr(name, options.only) != NULL;
}

double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void
die(const char *fmt, ...)
{
	va_list args;

	fputs("bench: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

uint64_t
rng_next(struct rng *rng)
{
	rng->state ^= rng->state << 13;
	rng->state ^= rng->state >> 7;
	rng->state ^= rng->state << 17;
	return rng->state;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double
median(double *values, size_t nr)
{
	qsort(values, nr, sizeof *values, compare_doubles);
	return nr % 2 ? values[nr / 2] : (values[nr / 2 - 1] + values[nr / 2]) / 2;
}

void
report(const char *name, const char *unit, double engine, double limit, double ratio, double bar)
{
	const char *world = options.pmem ? "pmem" : "page cache";
	bool good = bar >= 0 ? ratio <= bar : ratio >= -bar;

	if (options.json)
		printf("{\"world\": \"%s\", \"name\": \"%s\", \"unit\": \"%s\", \"engine\": %.6g, \"limit\": %.6g, "
		       "\"ratio\": %.6g, \"bar\": %.6g}\n",
		       world, name, unit, engine, limit, ratio, bar);
	else
		printf("%-10s %-44s %12.4g %12.4g %-9s %8.3f  %s %-5.4g %s\n", world, name, engine, limit, unit, ratio,
		       bar < 0 ? ">=" : "<=", bar < 0 ? -bar : bar,
		       bar == 0 ? ""
		       : good	? "ok"
				: "MISSED");
	fflush(stdout);
}

double
cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double
time_of(const struct work *work, uint64_t nr)
{
	double start = cpu_s();

	work->run(work->ctx, nr);
	return cpu_s() - start;
}

static double
least_time_of(const struct work *work, uint64_t nr)
{
	double first = time_of(work, nr), second = time_of(work, nr);

	return first < second ? first : second;
}

/*
 * How often to do it in a slice.  By the time of many slices, which warms up,
 * too: after a second in which only the limit had worked, the first requests
 * sometimes took 150 us each, as if their memory had to be mapped anew.
 */
static uint64_t
calibrate(const struct work *work)
{
	uint64_t nr = 1;
	double s;

	while ((s = least_time_of(work, nr)) < 16 * options.slice_s)
		nr *= 2;
	nr = (uint64_t)((double)nr * options.slice_s / s);
	return nr > 0 ? nr : 1;
}

void
compare(const char *name, struct work engine, struct work limit, double bar)
{
	unsigned int rounds = options.rounds;
	double *times = calloc(3 * (size_t)rounds, sizeof *times);
	double *a = times, *b = times + rounds, *ratios = times + 2 * rounds;
	uint64_t nr_a, nr_b;
	double ns_a, ns_b;

	if (!wanted(name)) {
		free(times);
		return;
	}
	if (times == NULL)
		die("out of memory");
	nr_a = calibrate(&engine);
	nr_b = calibrate(&limit);
	for (unsigned int i = 0; i < rounds; i++) {
		/* Who goes first changes, so that a trend favours nobody. */
		if (i % 2 == 0)
			a[i] = time_of(&engine, nr_a) / (double)nr_a;
		b[i] = time_of(&limit, nr_b) / (double)nr_b;
		if (i % 2 == 1)
			a[i] = time_of(&engine, nr_a) / (double)nr_a;
		ratios[i] = a[i] / b[i];
	}
	ns_a = median(a, rounds) * 1e9;
	ns_b = median(b, rounds) * 1e9;
	report(name, "ns", ns_a, ns_b, median(ratios, rounds), bar);
	if (getenv("BENCH_VERBOSE") != NULL)
		fprintf(stderr, "  minima: %.1f %.1f ratio %.3f\n", a[0] * 1e9, b[0] * 1e9, a[0] / b[0]);
	free(times);
}
