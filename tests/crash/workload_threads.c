/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two and three threads: each pair of operations under all schedules with up
 * to two pre-emptions, and random operations under random schedules.
 */
#include "tests/crash/workload.h"

#include <stdio.h>

#include "tests/crash/determinism.h"

#define BRIEF_SCHEDULES 30u /* with two pre-emptions, about */
#define MAX_OPS 4u /* of a thread */

/* Operations by threads, after others that make ready. */
struct threads_case {
	const char *what;
	unsigned int nr_threads;
	struct op before[10];
	struct op ops[SCHED_MAX_THREADS][MAX_OPS];
	uint32_t nr_before;
	uint32_t nr_ops[SCHED_MAX_THREADS];
};

/* Disk 0 is at place 0, array 1 at place 1. */
#define PAGES(n) ((uint64_t)(n) << 12)
#define WRITE(page, n, t)                                                                                              \
	{                                                                                                              \
		.type = OP_WRITE, .size_bytes = 1, .off = PAGES(page), .len_bytes = PAGES(n), .tag = (t)               \
	}
#define PART(page, sector, t)                                                                                          \
	{                                                                                                              \
		.type = OP_WRITE, .size_bytes = 1, .off = PAGES(page) + 512 * (sector), .len_bytes = 512, .tag = (t)   \
	}
#define ZERO(page, n)                                                                                                  \
	{                                                                                                              \
		.type = OP_ZERO, .size_bytes = 1, .off = PAGES(page), .len_bytes = PAGES(n)                            \
	}
#define ZERO_PART(page, sector)                                                                                        \
	{                                                                                                              \
		.type = OP_ZERO, .size_bytes = 1, .off = PAGES(page) + 512 * (sector), .len_bytes = 512                \
	}
#define READ(page)                                                                                                     \
	{                                                                                                              \
		.type = OP_READ, .size_bytes = 1, .off = PAGES(page), .len_bytes = PAGES(1)                            \
	}
#define STORE(at, t)                                                                                                   \
	{                                                                                                              \
		.type = OP_STORE, .inst = 1, .name = 1, .off = (at), .tag = (t), .object = OBJECT_VALUE                \
	}
#define STORE_BUFFER(at, t)                                                                                            \
	{                                                                                                              \
		.type = OP_STORE, .inst = 1, .name = 1, .off = (at), .tag = (t), .object = OBJECT_BUFFER,              \
		.len_bytes = 90                                                                                        \
	}
#define CMPXCHG(at, o, t)                                                                                              \
	{                                                                                                              \
		.type = OP_CMPXCHG, .inst = 1, .name = 1, .off = (at), .old = (o), .tag = (t)                          \
	}
#define ERASE(at, n)                                                                                                   \
	{                                                                                                              \
		.type = OP_ERASE_RANGE, .inst = 1, .name = 1, .off = (at), .len_bytes = (n)                            \
	}
#define ERASE_ALL ERASE(0, UINT64_C(1) << 32)
#define DATA(t)                                                                                                        \
	{                                                                                                              \
		.type = OP_SET_DATA, .inst = 1, .name = 1, .tag = (t), .object = OBJECT_BUFFER, .len_bytes = 50        \
	}
#define CREATE(place)                                                                                                  \
	{                                                                                                              \
		.type = OP_INST_CREATE, .inst = (place), .name = (place)                                               \
	}
#define CREATE_DISK(place)                                                                                             \
	{                                                                                                              \
		.type = OP_DISK_CREATE, .inst = (place), .name = (place), .size_bytes = PAGES(100)                     \
	}
#define REMOVE(place)                                                                                                  \
	{                                                                                                              \
		.type = OP_REMOVE, .inst = (place), .name = (place)                                                    \
	}
#define RENAME(place, to)                                                                                              \
	{                                                                                                              \
		.type = OP_RENAME, .inst = (place), .name = (place), .new_name = (to)                                  \
	}
#define RESIZE(n)                                                                                                      \
	{                                                                                                              \
		.type = OP_RESIZE, .size_bytes = PAGES(n)                                                              \
	}

/* A disk that nobody sees yet, and what gives it the name of the one at a place, or a free one. */
#define BEGIN(as)                                                                                                      \
	{                                                                                                              \
		.type = OP_BEGIN, .inst = HIDDEN_PLACE, .name = (as), .size_bytes = PAGES(16)                          \
	}
#define FILL(page, n, t)                                                                                               \
	{                                                                                                              \
		.type = OP_WRITE, .inst = HIDDEN_PLACE, .size_bytes = 1, .off = PAGES(page), .len_bytes = PAGES(n),    \
		.tag = (t)                                                                                             \
	}
#define FINISH(place)                                                                                                  \
	{                                                                                                              \
		.type = OP_FINISH, .inst = (place), .name = (place), .size_bytes = PAGES(16)                           \
	}

#define OPS(...) __VA_ARGS__

#define TWO(text, a, b)                                                                                                \
	{                                                                                                              \
		.what = text, .nr_threads = 2, .ops = {{a}, {b}}, .nr_ops = { 1, 1 }                                   \
	}
#define TWO_AFTER(text, n, prepare, a, b)                                                                              \
	{                                                                                                              \
		.what = text, .nr_threads = 2, .before = {prepare}, .nr_before = (n), .ops = {{a}, {b}}, .nr_ops = {   \
			1,                                                                                             \
			1                                                                                              \
		}                                                                                                      \
	}

#if XA_CHUNK_SHIFT == 9
#define NEXT_LEAF 512
#define NEW_LEAF 1024
#define FAR 262144
#else
#define NEXT_LEAF 4
#define NEW_LEAF 8
#define FAR 1024
#endif

static const struct threads_case cases[] = {
	/* one page */
	TWO_AFTER("one page: write, write", 1, WRITE(1, 1, 11), WRITE(1, 1, 21), WRITE(1, 1, 31)),
	TWO_AFTER("one page: write, zero", 1, WRITE(1, 1, 11), WRITE(1, 1, 21), ZERO(1, 1)),
	TWO_AFTER("one page: write, part", 1, WRITE(1, 1, 11), WRITE(1, 1, 21), PART(1, 3, 31)),
	TWO_AFTER("one page: part, part", 1, WRITE(1, 1, 11), PART(1, 2, 21), PART(1, 3, 31)),
	TWO_AFTER("one page: the same part twice", 1, WRITE(1, 1, 11), PART(1, 2, 21), PART(1, 2, 31)),
	TWO_AFTER("one page: zero, part", 1, WRITE(1, 1, 11), ZERO(1, 1), PART(1, 3, 31)),
	TWO_AFTER("one page: zero, zero", 1, WRITE(1, 1, 11), ZERO(1, 1), ZERO(1, 1)),
	TWO_AFTER("one page: write, read", 1, WRITE(1, 1, 11), WRITE(1, 1, 21), READ(1)),
	TWO_AFTER("one page: part, zeroed part", 1, PART(1, 0, 11), PART(1, 2, 21), ZERO_PART(1, 0)),
	/* one leaf */
	TWO_AFTER("one leaf: write, write", 1, WRITE(0, 4, 11), WRITE(1, 1, 21), WRITE(2, 1, 31)),
	TWO_AFTER("one leaf: two of each, crossing", 1, WRITE(0, 4, 11), WRITE(0, 2, 21), WRITE(1, 2, 31)),
	TWO_AFTER("one leaf: write, zero of all", 1, WRITE(0, 4, 11), WRITE(1, 1, 21), ZERO(0, 100)),
	TWO_AFTER("one leaf: part, zero of all", 1, WRITE(0, 4, 11), PART(1, 1, 21), ZERO(0, 100)),
	TWO("one leaf that is not there yet: write, write", WRITE(1, 1, 21), WRITE(2, 1, 31)),
	TWO("one leaf that is not there yet: write, zero of all", WRITE(1, 1, 21), ZERO(0, 100)),
	TWO("one page that is not there yet: write, zero", WRITE(1, 1, 21), ZERO(1, 1)),
	/* different leaves */
	TWO_AFTER("two leaves: write, write", 2, OPS(WRITE(0, 1, 11), WRITE(NEXT_LEAF, 1, 13)), WRITE(0, 1, 21),
		  WRITE(NEXT_LEAF, 1, 31)),
	TWO_AFTER("two leaves, one is new: write, write", 1, WRITE(0, 1, 11), WRITE(0, 1, 21), WRITE(NEXT_LEAF, 1, 31)),
	TWO("two new leaves: write, write", WRITE(0, 1, 21), WRITE(NEXT_LEAF, 1, 31)),
	TWO_AFTER("a higher root, and a write: write, write", 1, WRITE(0, 1, 11), WRITE(FAR, 1, 21), WRITE(1, 1, 31)),
	TWO("two higher roots: write, write", WRITE(FAR, 1, 21), WRITE(NEXT_LEAF, 1, 31)),
	TWO_AFTER("a new leaf below a root: write, write", 2, OPS(WRITE(0, 1, 11), WRITE(NEXT_LEAF, 1, 13)),
		  WRITE(NEW_LEAF, 1, 21), WRITE(NEW_LEAF + 1, 1, 31)),
	TWO_AFTER("a new leaf below a root: write, zero", 2, OPS(WRITE(0, 1, 11), WRITE(NEXT_LEAF, 1, 13)),
		  WRITE(NEW_LEAF, 1, 21), ZERO(NEW_LEAF, 1)),
	TWO_AFTER("a new leaf below a root: write, trim", 2, OPS(WRITE(0, 1, 11), WRITE(NEXT_LEAF, 1, 13)),
		  WRITE(NEW_LEAF, 1, 21), ZERO(0, FAR + 1)),
	TWO_AFTER("array, a new leaf below a root: compare and exchange", 2, OPS(STORE(0, 1), STORE(NEXT_LEAF, 2)),
		  CMPXCHG(NEW_LEAF, 0, 5), CMPXCHG(NEW_LEAF, 0, 6)),
	TWO_AFTER("two leaves: write, trim of the whole disk", 2, OPS(WRITE(0, 1, 11), WRITE(NEXT_LEAF, 1, 13)),
		  WRITE(0, 1, 21), ZERO(0, FAR + 1)),
	TWO_AFTER("two trims of the whole disk", 2, OPS(WRITE(0, 1, 11), WRITE(NEXT_LEAF, 1, 13)), ZERO(0, FAR + 1),
		  ZERO(0, FAR + 1)),
	/* arrays: what is answered must last */
	TWO("array: compare and exchange, twice on nothing", CMPXCHG(1, 0, 5), CMPXCHG(1, 0, 6)),
	TWO_AFTER("array: compare and exchange, twice on a value", 1, STORE(1, 4), CMPXCHG(1, 4, 5), CMPXCHG(1, 4, 6)),
	TWO_AFTER("array: store, compare and exchange", 1, STORE(2, 3), STORE(1, 4), CMPXCHG(1, 0, 6)),
	TWO_AFTER("array: store, compare with what is not there", 1, STORE(1, 3), STORE(1, 4), CMPXCHG(1, 9, 6)),
	TWO_AFTER("array: erase, compare and exchange", 1, STORE(1, 4), ERASE(1, 1), CMPXCHG(1, 4, 6)),
	TWO_AFTER("array: erase all, compare and exchange", 2, OPS(STORE(1, 4), STORE(NEXT_LEAF, 4)), ERASE_ALL,
		  CMPXCHG(1, 4, 6)),
	TWO_AFTER("array: erase all, store", 2, OPS(STORE(1, 4), STORE(NEXT_LEAF, 4)), ERASE_ALL,
		  STORE(NEXT_LEAF + 1, 6)),
	TWO_AFTER("array: erase all, erase all", 2, OPS(STORE(1, 4), STORE(NEXT_LEAF, 4)), ERASE_ALL, ERASE_ALL),
	TWO_AFTER("array: two buffers", 1, STORE_BUFFER(1, 4), STORE_BUFFER(1, 5), STORE_BUFFER(2, 6)),
	/* instances */
	TWO("instances: create, create", CREATE(2), CREATE(3)),
	TWO("instances: create, create a disk", CREATE(2), CREATE_DISK(3)),
	TWO_AFTER("instances: create, remove", 1, CREATE(2), CREATE(3), REMOVE(2)),
	TWO_AFTER("instances: set data, set data", 1, DATA(11), DATA(21), DATA(31)),
	TWO_AFTER("instances: set data, store in a new leaf", 1, DATA(11), DATA(21), STORE(1, 7)),
	TWO_AFTER("instances: rename, store in a new leaf", 1, DATA(11), RENAME(1, 9), STORE(1, 7)),
	TWO_AFTER("instances: remove, store", 1, STORE(2, 3), REMOVE(1), STORE(1, 7)),
	TWO_AFTER("instances: remove, set data", 1, DATA(11), REMOVE(1), DATA(21)),
	TWO_AFTER("instances: create, write in a new leaf", 1, WRITE(0, 1, 11), CREATE(2), WRITE(FAR, 1, 21)),
	TWO_AFTER("disk: shrink, write", 1, WRITE(0, 8, 11), RESIZE(4), WRITE(1, 1, 21)),
	TWO_AFTER("disk: grow, write in a new leaf", 1, WRITE(0, 1, 11), RESIZE(2000), WRITE(NEXT_LEAF, 1, 21)),
	/* pages that are replaced are used again */
	{
		.what = "one page: three writes each",
		.nr_threads = 2,
		.before = {WRITE(1, 1, 11)},
		.nr_before = 1,
		.ops = {{WRITE(1, 1, 21), WRITE(1, 1, 23), WRITE(1, 1, 25)},
			{WRITE(1, 1, 31), WRITE(1, 1, 33), WRITE(1, 1, 35)}},
		.nr_ops = {3, 3},
	},
	{
		.what = "writes, and trims between them",
		.nr_threads = 2,
		.before = {WRITE(0, 4, 11)},
		.nr_before = 1,
		.ops = {{WRITE(1, 1, 21), WRITE(2, 1, 23)}, {ZERO(0, 100), WRITE(2, 2, 33)}},
		.nr_ops = {2, 2},
	},
	/* a disk appears, or takes the place of another one, while others work */
	{
		.what = "disks: begin and finish, write in a new leaf of another",
		.nr_threads = 2,
		.before = {WRITE(0, 1, 11)},
		.nr_before = 1,
		.ops = {{BEGIN(2), FILL(1, 2, 21), FINISH(2)}, {WRITE(NEXT_LEAF, 1, 31)}},
		.nr_ops = {3, 1},
	},
	{
		.what = "disks: replace one, write and read another",
		.nr_threads = 2,
		.before = {WRITE(1, 1, 11), CREATE_DISK(2)},
		.nr_before = 2,
		.ops = {{BEGIN(2), FILL(1, 2, 21), FINISH(2)}, {WRITE(1, 1, 31), READ(1)}},
		.nr_ops = {3, 2},
	},
	{
		.what = "disks: begin and finish, create an instance",
		.nr_threads = 2,
		.before = {CREATE_DISK(2)},
		.nr_before = 1,
		.ops = {{BEGIN(2), FILL(0, 1, 21), FINISH(2)}, {CREATE(3)}},
		.nr_ops = {3, 1},
	},
	/* three threads */
	{
		.what = "three on one page: write, part, zero",
		.nr_threads = 3,
		.before = {WRITE(1, 1, 11)},
		.nr_before = 1,
		.ops = {{WRITE(1, 1, 21)}, {PART(1, 3, 31)}, {ZERO(1, 1)}},
		.nr_ops = {1, 1, 1},
	},
	{
		.what = "three on one page: compare and exchange",
		.nr_threads = 3,
		.ops = {{CMPXCHG(1, 0, 5)}, {CMPXCHG(1, 0, 6)}, {CMPXCHG(1, 5, 7)}},
		.nr_ops = {1, 1, 1},
	},
	{
		.what = "three in a leaf that is not there yet",
		.nr_threads = 3,
		.ops = {{WRITE(0, 1, 21)}, {WRITE(1, 1, 31)}, {ZERO(0, 100)}},
		.nr_ops = {1, 1, 1},
	},
	{
		.what = "three on instances: create, set data, write in a new leaf",
		.nr_threads = 3,
		.ops = {{CREATE(2)}, {DATA(31)}, {WRITE(1, 1, 41)}},
		.nr_ops = {1, 1, 1},
	},
};

struct case_run {
	struct run *run;
	struct session *session;
	const struct op *ops;
	const uint32_t *nr_ops;
	unsigned int nr_threads;
	const char *what;
	bool ok;
};

static bool
run_schedule(void *opaque, const struct schedule *schedule, struct sched_trace *ret_trace)
{
	struct case_run *c = opaque;
	char text[128], why[sizeof c->session->why];

	determinism_start(c->run->seed);
	session_rewind(c->session);
	c->run->nr_schedules++;
	c->ok = session_record_threads(c->session, c->ops, c->nr_ops, c->nr_threads, schedule, ret_trace) &&
		run_explore(c->run, c->session);
	if (!c->ok) {
		schedule_text(schedule, text, sizeof text);
		snprintf(why, sizeof why, "%s", c->session->why);
		snprintf(c->session->why, sizeof c->session->why, "%s; %s; %.1800s", c->what, text, why);
	}
	return c->ok && !run_is_full(c->run, c->session);
}

static bool
set_up(struct session *session)
{
	const struct op disk = {.type = OP_DISK_CREATE, .size_bytes = PAGES(FAR + 1)};
	const struct op array = {.type = OP_INST_CREATE, .inst = 1, .name = 1};

	return session_do(session, &disk) && session_do(session, &array);
}

static bool
run_case(struct run *run, const struct threads_case *tc)
{
	struct session *session = session_new(run->seed, 64, indices_mixed.idx, indices_mixed.nr, &profile_mixed);
	struct op ops[SCHED_MAX_THREADS * MAX_OPS];
	struct case_run c = {run, session, ops, tc->nr_ops, tc->nr_threads, tc->what, true};
	uint32_t n = 0;
	bool ok = set_up(session);

	for (uint32_t i = 0; ok && i < tc->nr_before; i++)
		ok = session_do(session, &tc->before[i]);
	for (unsigned int t = 0; t < tc->nr_threads; t++)
		for (uint32_t i = 0; i < tc->nr_ops[t]; i++)
			ops[n++] = tc->ops[t][i];
	if (ok) {
		session_record_start(session);
		sched_for_all(tc->nr_threads, run->brief ? BRIEF_SCHEDULES : 0, run->seed, run_schedule, &c);
	}
	return run_end(run, session, ok && c.ok);
}

static bool
run_cases(struct run *run, const struct workload *workload)
{
	uintptr_t part = (uintptr_t)workload->opaque, nr_parts = 4;

	for (uintptr_t i = part; i < ARRAY_SIZE(cases); i += nr_parts)
		if (!run_case(run, &cases[i]))
			return false;
	return true;
}

/* Random operations of two or three threads, each pool state with some random schedules. */
static bool
run_random(struct run *run, const struct workload *workload)
{
	struct profile profile = profile_mixed;
	struct session *session;
	bool ok;

	(void)workload;
	/* What threads do to one instance at a time must make sense in any order. */
	profile.weight[OP_DISK_CREATE] = profile.weight[OP_INST_CREATE] = 0;
	profile.weight[OP_REMOVE] = profile.weight[OP_RENAME] = profile.weight[OP_RESIZE] = 0;
	profile.weight[OP_REOPEN] = 0;
	profile.max_pages = 4;
	session = session_new(run->seed, 64, indices_near.idx, indices_near.nr, &profile);
	ok = set_up(session);
	for (unsigned int round = 0; ok && round < 24 && !run_is_full(run, session); round++) {
		struct op ops[6];
		unsigned int nr_threads = 2 + round % 2;
		uint32_t nr_ops[SCHED_MAX_THREADS] = {2, 2, nr_threads == 3 ? 2 : 0};
		struct case_run c = {run, session, ops, nr_ops, nr_threads, "random", true};

		for (unsigned int i = 0; ok && i < 3; i++) {
			struct op op = session_random_op(session);

			ok = session_do(session, &op);
		}
		for (unsigned int i = 0; i < 2 * nr_threads; i++)
			ops[i] = session_random_op(session);
		if (!ok)
			break;
		session_record_start(session);
		sched_for_all(nr_threads, 60, session->seed, run_schedule, &c);
		ok = c.ok;
		session_rewind(session);
	}
	return run_end(run, session, ok);
}

const struct workload thread_workloads[] = {
	{"threads-1", "pairs and triples of operations, all schedules, a quarter of them", run_cases, .once = true,
	 .opaque = (void *)0},
	{"threads-2", "the second quarter", run_cases, .once = true, .opaque = (void *)1},
	{"threads-3", "the third quarter", run_cases, .once = true, .opaque = (void *)2},
	{"threads-4", "the fourth quarter", run_cases, .once = true, .opaque = (void *)3},
	{"threads-random", "random operations, random schedules", run_random, .once = false},
};
const unsigned int nr_thread_workloads = ARRAY_SIZE(thread_workloads);
