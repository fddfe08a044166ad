/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a crash may leave, by what was begun and what was acknowledged.
 *
 * For each index of each instance the model knows what may be there: one
 * content, or, while operations are under way, candidates.  A candidate
 * remembers which of them have been applied to it, in whatever order; all
 * orders are kept.  The acknowledgement of an operation removes the
 * candidates that it has not been applied to.  When nothing is under way any
 * more for an index, what the program sees there is what must survive.
 *
 * A disk that was begun has a place of its own, which no image is compared
 * with.  Its OP_FINISH is applied to all of the place that it goes to, or to
 * nothing of it.
 */
#ifndef PRMEM_TESTS_MODEL_H
#define PRMEM_TESTS_MODEL_H

#include "tests/crash/media.h"
#include "tests/crash/op.h"

#define MODEL_MAX_INDICES 96u
#define MODEL_MAX_CANDIDATES 160u
#define MODEL_MAX_OPEN 256u
#define MODEL_MAX_READ 32u

struct model_state { /* of an instance */
	bool exists;
	bool is_disk;
	bool reserved;
	uint8_t name;
	uint64_t size_bytes;
	int32_t data;
};

struct model_candidate {
	int32_t content;
	uint8_t applied; /* bit per thread: its operation under way has been applied */
	uint8_t matched; /* bit per thread: its OP_CMPXCHG found what it expected */
};

struct model_open { /* an index with several candidates, or an operation under way */
	uint8_t inst;
	uint8_t pos;
	uint8_t nr;
	struct model_candidate c[MODEL_MAX_CANDIDATES];
};

struct model_instance {
	uint8_t nr;
	struct {
		struct model_state state;
		uint8_t applied;
	} c[16];
};

struct model {
	struct contents *contents;
	uint32_t idx[MODEL_MAX_INDICES]; /* the indices that a workload uses, in order */
	uint32_t nr_idx;
	bool may_be_unformatted;
	bool may_be_replacing; /* a disk may say that it has replaced another one */
	uint32_t nr_acked; /* operations */
	uint64_t nr_pages_min, nr_pages_max; /* of the pool; 0: any */
	struct model_instance inst[NR_PLACES];
	int32_t page[NR_PLACES][MODEL_MAX_INDICES];
	int16_t open_of[NR_PLACES][MODEL_MAX_INDICES]; /* in open, or -1 */
	struct model_open open[MODEL_MAX_OPEN];
	uint32_t nr_open;
	const struct op *under_way[SIM_NR_THREADS];
	int64_t readable[SIM_NR_THREADS][MODEL_MAX_READ]; /* what an OP_READ under way may answer */
	uint32_t nr_readable[SIM_NR_THREADS];
	char wrong[200]; /* why the last call failed */
};

/* model_init() - no instances.  @idx: in ascending order. */
void model_init(struct model *model, struct contents *contents, const uint32_t *idx, uint32_t nr_idx);

/* model_copy() - a whole model; far less is copied than there is room for. */
void model_copy(struct model *to, const struct model *from);

/* model_begin() - a thread begins an operation. */
MUST_CHECK bool model_begin(struct model *model, unsigned int thread, const struct op *op);

/*
 * model_ack() - a thread's operation is acknowledged with a result.
 * @visible: what the program sees now; NULL when it cannot be in doubt: a
 *   single thread, whose operation did not fail.  Walked after model_begin()
 *   of it, which is what makes its content known
 * Return: false when the result is impossible.
 */
MUST_CHECK bool model_ack(struct model *model, unsigned int thread, int64_t result, const struct media *visible);

/* model_judge() - may a crash leave this?  Return: false, and ->wrong says why not. */
MUST_CHECK bool model_judge(struct model *model, const struct media *media);

/*
 * model_settle() - from now on, what is there is what must be: all that @from
 * knows of is acknowledged.
 * @opened: what a crash left behind the end of a disk is gone; else it may be
 *   there or not
 */
void model_settle(struct model *model, const struct model *from, const struct media *media, bool opened);

/* The state of an instance that has one only. */
static inline const struct model_state *
model_state(const struct model *model, uint8_t inst)
{
	return &model->inst[inst].c[0].state;
}

#endif
