/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every unit test needs: named cases, checks that say where they failed,
 * a printed seed.
 *
 *	static void
 *	store_replaces_what_was_there(void)
 *	{
 *		CHECK_EQ(a, b);
 *	}
 *
 *	UNIT_MAIN(CASE(store_replaces_what_was_there), ...)
 *
 * A program runs all of its cases, or those named on its command line;
 * -s SEED repeats a random run.
 */
#ifndef PRMEM_TESTS_UNIT_H
#define PRMEM_TESTS_UNIT_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/mix64.h"

struct unit_case {
	const char *name;
	void (*fn)(void);
};

#define CASE(function)                                                                                                 \
	{                                                                                                              \
		.name = #function, .fn = function                                                                      \
	}

#define CHECK(cond)                                                                                                    \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #cond);             \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#define CHECK_EQ(a, b)                                                                                                 \
	do {                                                                                                           \
		long long a_ = (long long)(a), b_ = (long long)(b);                                                    \
		if (a_ != b_) {                                                                                        \
			fprintf(stderr, "%s:%d: %s: %s is %lld (0x%llx), %s is %lld (0x%llx)\n", __FILE__, __LINE__,   \
				__func__, #a, a_, (unsigned long long)a_, #b, b_, (unsigned long long)b_);             \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#define CHECK_STR(a, b)                                                                                                \
	do {                                                                                                           \
		const char *a_ = (a), *b_ = (b);                                                                       \
		if (strcmp(a_, b_) != 0) {                                                                             \
			fprintf(stderr, "%s:%d: %s: \"%s\" is not \"%s\"\n", __FILE__, __LINE__, __func__, a_, b_);    \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

extern uint64_t unit_seed;

/* The next number of the seeded sequence; one thread. */
static inline uint64_t
unit_random(void)
{
	unit_seed += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(unit_seed);
}

/* One N-th of @nr with PRMEM_QUICK=N, at least one: under valgrind, say, all of it would take too long. */
static inline int
unit_rounds(int nr)
{
	const char *quick = getenv("PRMEM_QUICK");
	int n = quick != NULL ? atoi(quick) : 1;

	return n <= 1 ? nr : nr / n > 0 ? nr / n : 1;
}

static inline int
unit_run(int argc, char **argv, const struct unit_case *cases, size_t nr)
{
	int opt;

	while ((opt = getopt(argc, argv, "s:")) != -1) {
		if (opt != 's') {
			fprintf(stderr, "usage: %s [-s seed] [case...]\n", argv[0]);
			return 2;
		}
		unit_seed = strtoull(optarg, NULL, 0);
	}
	printf("seed %" PRIu64 " (repeat with -s %" PRIu64 ")\n", unit_seed, unit_seed);
	for (size_t i = 0; i < nr; i++) {
		bool wanted = optind == argc;

		for (int j = optind; j < argc; j++)
			wanted = wanted || strcmp(argv[j], cases[i].name) == 0;
		if (!wanted)
			continue;
		printf("%s\n", cases[i].name);
		fflush(stdout);
		cases[i].fn();
	}
	return 0;
}

#define UNIT_MAIN(...)                                                                                                 \
	uint64_t unit_seed;                                                                                            \
	int main(int argc, char **argv)                                                                                \
	{                                                                                                              \
		static const struct unit_case cases[] = {__VA_ARGS__};                                                 \
		unit_seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;                                           \
		return unit_run(argc, argv, cases, sizeof cases / sizeof cases[0]);                                    \
	}

#endif
