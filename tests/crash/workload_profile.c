/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workloads that are a random mix of some operations: what is in the mix is
 * what they are about.
 */
#include "tests/crash/workload.h"

#define ROUNDS 12u

struct mix {
	const struct index_set *indices;
	uint32_t nr_pages;
	bool disk, array; /* there is one at the beginning */
	bool full; /* the pool is filled first */
	struct profile profile;
	unsigned int nr_rounds; /* with a mutant; 0: ROUNDS */
};

static bool
set_up(struct session *session, const struct mix *mix)
{
	struct op disk = {
		.type = OP_DISK_CREATE,
		.inst = 0,
		.name = 0,
		.size_bytes = ((uint64_t)mix->indices->idx[mix->indices->nr - 1] + 1) << 12,
	};
	struct op array = {.type = OP_INST_CREATE, .inst = 1, .name = 1};

	if (mix->disk && !session_do(session, &disk))
		return false;
	if (mix->array && !session_do(session, &array))
		return false;
	for (uint32_t i = 0; mix->full && i < mix->indices->nr; i++) {
		struct op op = {
			.type = OP_WRITE,
			.off = (uint64_t)mix->indices->idx[i] << 12,
			.len_bytes = 4096,
			.tag = session->seed + i,
		};

		if (!session_do(session, &op))
			return false;
	}
	return true;
}

static bool
run_mix(struct run *run, const struct workload *workload)
{
	const struct mix *mix = workload->opaque;
	struct session *session =
		session_new(run->seed, mix->nr_pages, mix->indices->idx, mix->indices->nr, &mix->profile);
	unsigned int nr_rounds = mix->nr_rounds ? mix->nr_rounds : ROUNDS;
	bool ok = set_up(session, mix);

	ok = ok && run_rounds(run, session, nr_rounds);
	return run_end(run, session, ok);
}

/* Writes that go on where no page is left: until there each page is written by itself. */
static bool
run_edge(struct run *run, const struct workload *workload)
{
	const struct mix *mix = workload->opaque;
	struct session *session =
		session_new(run->seed, mix->nr_pages, mix->indices->idx, mix->indices->nr, &mix->profile);
	bool ok = set_up(session, mix);

	session_record_start(session);
	for (unsigned int i = 0; ok && i < 6; i++) {
		const struct op op = {
			.type = OP_WRITE,
			.off = (uint64_t)(16 + i % 3 * 12) << 12,
			.len_bytes = 24 << 12,
			.tag = run->seed + 100 + i,
		};

		ok = session_record(session, &op);
	}
	ok = ok && run_explore(run, session);
	return run_end(run, session, ok);
}

#define SHAPES(s, pages) .shapes = (s), .max_pages = (pages), .max_instances = 5

static const struct mix page_write = {
	.indices = &indices_mixed,
	.nr_pages = 64,
	.disk = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 1},
			SHAPES(SHAPE_PAGES, 1),
		},
};
static const struct mix partial_write = {
	.indices = &indices_mixed,
	.nr_pages = 64,
	.disk = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 1},
			SHAPES(SHAPE_SECTOR | SHAPE_RAGGED, 1),
			.zeroes_percent = 10,
		},
};
static const struct mix multi_page_write = {
	.indices = &indices_near,
	.nr_pages = 96,
	.disk = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 8, [OP_ZERO] = 1},
			SHAPES(SHAPE_PAGES, 24),
			.zeroes_percent = 5,
		},
};
static const struct mix ragged_write = {
	.indices = &indices_near,
	.nr_pages = 96,
	.disk = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 8, [OP_ZERO] = 1},
			SHAPES(SHAPE_RAGGED, 8),
		},
};
static const struct mix overwrite = {
	.indices = &indices_near,
	.nr_pages = 64,
	.disk = true,
	.full = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 1},
			SHAPES(SHAPE_PAGES | SHAPE_SECTOR, 4),
		},
};
static const struct mix zero = {
	.indices = &indices_mixed,
	.nr_pages = 96,
	.disk = true,
	.full = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 2, [OP_ZERO] = 3},
			SHAPES(SHAPE_PAGES | SHAPE_SECTOR | SHAPE_RAGGED, 16),
			.zeroes_percent = 50,
		},
};
static const struct mix trim = {
	.indices = &indices_mixed,
	.nr_pages = 96,
	.disk = true,
	.full = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 3, [OP_ZERO] = 2},
			SHAPES(SHAPE_PAGES | SHAPE_FAR, 16),
		},
};
static const struct mix tree_growth = {
	.indices = &indices_tall,
	.nr_pages = 96,
	.disk = true,
	.array = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 6,
				   [OP_ZERO] = 2,
				   [OP_REMOVE] = 1,
				   [OP_DISK_CREATE] = 1,
				   [OP_INST_CREATE] = 1,
				   [OP_STORE] = 3,
				   [OP_ERASE_RANGE] = 1},
			SHAPES(SHAPE_PAGES | SHAPE_FAR, 2),
			.zeroes_percent = 20,
		},
};
static const struct mix tallest = {
	.indices = &indices_tallest,
	.nr_pages = 128,
	.nr_rounds = 2,
	.disk = true,
	.array = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 6, [OP_ZERO] = 2, [OP_STORE] = 3, [OP_ERASE_RANGE] = 1},
			SHAPES(SHAPE_PAGES | SHAPE_FAR, 2),
		},
};
static const struct mix instances = {
	.indices = &indices_near,
	.nr_pages = 64,
	.profile =
		{
			.weight = {[OP_WRITE] = 2,
				   [OP_DISK_CREATE] = 4,
				   [OP_INST_CREATE] = 4,
				   [OP_REMOVE] = 4,
				   [OP_RENAME] = 4,
				   [OP_SET_DATA] = 4,
				   [OP_RESIZE] = 4,
				   [OP_REOPEN] = 1},
			SHAPES(SHAPE_PAGES, 4),
		},
};
static const struct mix resize = {
	.indices = &indices_mixed,
	.nr_pages = 96,
	.disk = true,
	.full = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 4, [OP_RESIZE] = 4, [OP_REOPEN] = 1},
			SHAPES(SHAPE_PAGES | SHAPE_SECTOR, 8),
		},
};
static const struct mix instance_data = {
	.indices = &indices_near,
	.nr_pages = 64,
	.array = true,
	.profile =
		{
			.weight = {[OP_SET_DATA] = 8, [OP_STORE] = 2, [OP_INST_CREATE] = 1, [OP_REMOVE] = 1},
			SHAPES(SHAPE_PAGES, 1),
		},
};
static const struct mix objects = {
	.indices = &indices_mixed,
	.nr_pages = 96,
	.array = true,
	.profile =
		{
			.weight = {[OP_STORE] = 8, [OP_ERASE_RANGE] = 1, [OP_SET_DATA] = 1, [OP_REOPEN] = 1},
			SHAPES(SHAPE_PAGES, 1),
		},
};
static const struct mix values = {
	.indices = &indices_tall,
	.nr_pages = 96,
	.array = true,
	.profile =
		{
			.weight = {[OP_STORE] = 2, [OP_CMPXCHG] = 8, [OP_ERASE_RANGE] = 2},
			SHAPES(SHAPE_PAGES, 1),
		},
};
static const struct mix full_pool = {
	.indices = &indices_dense,
	.nr_pages = 64,
	.disk = true,
	.array = true,
	.full = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 10,
				   [OP_ZERO] = 2,
				   [OP_STORE] = 2,
				   [OP_SET_DATA] = 1,
				   [OP_RENAME] = 1,
				   [OP_RESIZE] = 1,
				   [OP_DISK_CREATE] = 1,
				   [OP_REMOVE] = 1,
				   [OP_ERASE_RANGE] = 1},
			SHAPES(SHAPE_ANY, 8),
			.zeroes_percent = 5,
		},
};
static const struct mix everything = {
	.indices = &indices_mixed,
	.nr_pages = 64,
	.profile =
		{
			.weight = {[OP_WRITE] = 24,
				   [OP_ZERO] = 12,
				   [OP_READ] = 2,
				   [OP_DISK_CREATE] = 2,
				   [OP_RESIZE] = 3,
				   [OP_INST_CREATE] = 2,
				   [OP_REMOVE] = 2,
				   [OP_RENAME] = 2,
				   [OP_SET_DATA] = 4,
				   [OP_STORE] = 6,
				   [OP_CMPXCHG] = 4,
				   [OP_ERASE_RANGE] = 3,
				   [OP_REOPEN] = 1},
			SHAPES(SHAPE_ANY, 16),
			.zeroes_percent = 12,
		},
};

static const struct mix edge = {
	.indices = &indices_dense,
	.nr_pages = 64,
	.disk = true,
	.full = true,
	.profile =
		{
			.weight = {[OP_WRITE] = 1},
			SHAPES(SHAPE_PAGES, 24),
		},
};

const struct workload profile_workloads[] = {
	{"page-write", "whole pages, one at a time", run_mix, .opaque = &page_write},
	{"partial-write", "parts of pages", run_mix, .opaque = &partial_write},
	{"multi-page-write", "many whole pages in one request", run_mix, .opaque = &multi_page_write},
	{"ragged-write", "many pages, the first and the last in part", run_mix, .opaque = &ragged_write},
	{"overwrite", "what is there, again and again", run_mix, .opaque = &overwrite},
	{"zero", "zeroing, and writing zeroes", run_mix, .opaque = &zero},
	{"trim", "whole pages up to whole disks", run_mix, .opaque = &trim},
	{"tree-growth", "indices of every height, disks that come and go", run_mix, .opaque = &tree_growth},
	{"tallest-tree", "indices up to the last", run_mix, .max_images = 400, .opaque = &tallest},
	{"instances", "create, remove, rename, resize, set data", run_mix, .opaque = &instances},
	{"resize", "disks that get shorter and longer", run_mix, .opaque = &resize},
	{"instance-data", "data of every kind and length", run_mix, .opaque = &instance_data},
	{"objects", "buffers, pages and runs as entries", run_mix, .opaque = &objects},
	{"values", "compare and exchange, range erase", run_mix, .opaque = &values},
	{"full-pool", "no page is left", run_mix, .opaque = &full_pool},
	{"full-pool-edge", "what is written ends where no page is left", run_edge, .rare = true, .max_images = 6000,
	 .opaque = &edge},
	{"everything", "all operations, any order", run_mix, .opaque = &everything},
};
const unsigned int nr_profile_workloads = ARRAY_SIZE(profile_workloads);
