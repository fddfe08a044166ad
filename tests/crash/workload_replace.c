/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Disks that are filled unseen and appear as a whole: under a free name, or
 * in the place of another disk; and those that nobody finishes.
 */
#include "tests/crash/workload.h"

#define PAGES(n) ((uint64_t)(n) << PRMEM_PAGE_SHIFT)
#define ROUNDS 6u

/* A story about one name. */
struct story {
	uint64_t old_pages; /* of the disk that has the name; 0: nobody has */
	uint64_t begin_pages, finish_pages; /* of the one that is begun; to the end: 0, it is given up */
	bool old_reserved, new_reserved;
	bool fill; /* until the pool is full */
	bool reopen; /* instead of closing it, close the pool */
};

static struct op
write_at(const struct session *session, uint8_t place, uint64_t page, uint64_t nr)
{
	return (struct op){
		.type = OP_WRITE,
		.inst = place,
		.off = PAGES(page),
		.len_bytes = PAGES(nr),
		.tag = session->seed + 100 * place + page,
	};
}

/* Both have something where the other one has nothing, and where it has something, too. */
static bool
make_old(struct session *session, const struct story *story)
{
	const struct op create = {
		.type = OP_DISK_CREATE,
		.size_bytes = PAGES(story->old_pages),
		.old = story->old_reserved ? OP_CREATE_RESERVE : 0,
	};
	const struct op writes[] = {write_at(session, 0, 0, 3), write_at(session, 0, 5, 1)};

	return session_do(session, &create) && session_do(session, &writes[0]) && session_do(session, &writes[1]);
}

/* A third disk takes what room is left; the last writes fail. */
static bool
fill_pool(struct session *session, uint8_t place, uint64_t nr)
{
	const struct op create = {.type = OP_DISK_CREATE, .inst = place, .name = place, .size_bytes = PAGES(80)};
	bool ok = session_do(session, &create);

	for (uint64_t page = 0; ok && page < nr; page++) {
		struct op op = write_at(session, place, page, 1);

		op.name = place;
		ok = session_do(session, &op);
	}
	return ok;
}

static bool
run_story(struct run *run, const struct workload *workload)
{
	const struct story *story = workload->opaque;
	const struct index_set *indices = story->fill ? &indices_dense : &indices_near;
	struct session *session = session_new(run->seed, 64, indices->idx, indices->nr, &profile_short);
	const struct op begin = {
		.type = OP_BEGIN,
		.inst = HIDDEN_PLACE,
		.size_bytes = PAGES(story->begin_pages),
		.old = story->new_reserved ? OP_CREATE_RESERVE : 0,
	};
	const struct op writes[] = {write_at(session, HIDDEN_PLACE, 1, 2), write_at(session, HIDDEN_PLACE, 7, 1)};
	const struct op meanwhile = write_at(session, 0, 2, 1);
	const struct op ends[] = {
		{.type = OP_ABANDON, .inst = HIDDEN_PLACE},
		{.type = OP_REOPEN, .inst = HIDDEN_PLACE},
		{.type = OP_FINISH, .size_bytes = PAGES(story->finish_pages)},
	};
	bool ok = story->old_pages == 0 || make_old(session, story);

	session_record_start(session);
	ok = ok && session_record(session, &begin) && session_record(session, &writes[0]);
	/* The old one is still there for those who use it. */
	if (story->old_pages)
		ok = ok && session_record(session, &meanwhile);
	ok = ok && session_record(session, &writes[1]);
	if (story->fill) {
		ok = ok && fill_pool(session, 1, 64);
		session_record_start(session);
	}
	ok = ok && session_record(session, &ends[story->finish_pages ? 2 : story->reopen ? 1 : 0]);
	for (unsigned int i = 0; ok && i < 6; i++) {
		struct op op = session_random_op(session);

		ok = session_record(session, &op);
	}
	ok = ok && run_explore(run, session);
	return run_end(run, session, ok);
}

/* All of it, in any order. */
static const struct profile profile_replace = {
	.weight =
		{
			[OP_WRITE] = 12,
			[OP_ZERO] = 2,
			[OP_READ] = 1,
			[OP_DISK_CREATE] = 2,
			[OP_BEGIN] = 8,
			[OP_FINISH] = 6,
			[OP_ABANDON] = 1,
			[OP_RESIZE] = 2,
			[OP_REMOVE] = 1,
			[OP_RENAME] = 1,
			[OP_REOPEN] = 1,
		},
	.shapes = SHAPE_ANY,
	.max_pages = 4,
	.max_instances = 3,
	.zeroes_percent = 5,
	.reserve_percent = 15,
};

static bool
run_any(struct run *run, const struct workload *workload)
{
	const struct index_set *indices = workload->opaque;
	struct session *session = session_new(run->seed, 64, indices->idx, indices->nr, &profile_replace);
	bool ok = indices != &indices_dense || fill_pool(session, 0, 36);

	ok = ok && run_rounds(run, session, ROUNDS);
	return run_end(run, session, ok);
}

static const struct story replace = {.old_pages = 16, .begin_pages = 24, .finish_pages = 16};
static const struct story replace_shorter = {.old_pages = 16, .begin_pages = 12, .finish_pages = 8};
static const struct story free_name = {.begin_pages = 24, .finish_pages = 20};
static const struct story reserved = {.old_pages = 16, .begin_pages = 24, .finish_pages = 20, .old_reserved = true};
static const struct story begin_reserved = {.begin_pages = 16, .finish_pages = 16, .new_reserved = true};
static const struct story in_full_pool = {.old_pages = 16, .begin_pages = 16, .finish_pages = 16, .fill = true};
static const struct story given_up = {.old_pages = 16, .begin_pages = 24};
static const struct story cut_off = {.old_pages = 16, .begin_pages = 24, .reopen = true};

#define STORY(s) run_story, .rare = true, .max_images = 8000, .opaque = &(s)

const struct workload replace_workloads[] = {
	{"replace", "a disk takes the place of one as large", STORY(replace)},
	{"replace-shorter", "a disk takes the place of a larger one", STORY(replace_shorter)},
	{"replace-reserved", "and gets its reservation", STORY(reserved)},
	{"replace-when-full", "and there is no room for anything else", STORY(in_full_pool)},
	{"finish", "a disk appears under a free name", STORY(free_name)},
	{"finish-reserved", "the same, with a reservation of its own", STORY(begin_reserved)},
	{"give-up", "a disk is begun, and closed", STORY(given_up)},
	{"give-up-all", "a disk is begun, and the pool is closed", STORY(cut_off)},
	{"replace-any", "disks that are begun and finished, any order", run_any, .opaque = &indices_mixed},
	{"replace-any-full", "the same, and no page is left", run_any, .opaque = &indices_dense},
};
const unsigned int nr_replace_workloads = ARRAY_SIZE(replace_workloads);
