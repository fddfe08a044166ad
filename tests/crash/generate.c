/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/generate.h"

#include "common/mix64.h"

const struct profile profile_mixed = {
	.weight =
		{
			[OP_WRITE] = 24,
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
			[OP_REOPEN] = 1,
		},
	.shapes = SHAPE_ANY,
	.max_pages = 12,
	.max_instances = 5,
	.zeroes_percent = 12,
};

const struct profile profile_short = {
	.weight =
		{
			[OP_WRITE] = 12,
			[OP_ZERO] = 10,
			[OP_READ] = 8,
			[OP_DISK_CREATE] = 1,
			[OP_RESIZE] = 1,
			[OP_INST_CREATE] = 1,
			[OP_REMOVE] = 1,
			[OP_RENAME] = 1,
			[OP_SET_DATA] = 1,
			[OP_STORE] = 4,
			[OP_CMPXCHG] = 3,
			[OP_ERASE_RANGE] = 2,
		},
	.shapes = SHAPE_ANY,
	.max_pages = 2,
	.max_instances = 5,
	.zeroes_percent = 12,
};

struct generator {
	const struct model *model;
	const struct profile *profile;
	uint64_t *random;
};

static uint32_t
below(struct generator *g, uint64_t n)
{
	*g->random += UINT64_C(0x9e3779b97f4a7c15);
	return n ? (uint32_t)(mix64(*g->random) % n) : 0;
}

static bool
pick_instance(struct generator *g, bool exists, bool is_disk, uint8_t *ret_inst)
{
	uint8_t first = (uint8_t)below(g, MAX_INSTANCES);

	for (uint8_t n = 0; n < MAX_INSTANCES; n++) {
		uint8_t i = (uint8_t)((first + n) % MAX_INSTANCES);
		const struct model_state *state = model_state(g->model, i);

		if (state->exists == exists && (!exists || state->is_disk == is_disk)) {
			*ret_inst = i;
			return true;
		}
	}
	return false;
}

static bool
name_is_used(const struct model *model, uint8_t name)
{
	for (uint8_t i = 0; i < MAX_INSTANCES; i++)
		if (model_state(model, i)->exists && model_state(model, i)->name == name)
			return true;
	return false;
}

static uint8_t
new_name(struct generator *g)
{
	uint8_t name;

	do
		name = (uint8_t)below(g, 40);
	while (name_is_used(g->model, name));
	return name;
}

/* How many of the indices a disk has. */
static uint32_t
nr_on_disk(const struct generator *g, uint64_t size_bytes)
{
	uint32_t n = 0;

	while (n < g->model->nr_idx && ((uint64_t)g->model->idx[n] + 1) << 12 <= size_bytes)
		n++;
	return n;
}

static unsigned int
pick_shape(struct generator *g, const struct op *op)
{
	unsigned int shapes = g->profile->shapes, shape;

	if (op->type == OP_READ)
		return SHAPE_PAGES;
	if (op->type == OP_WRITE && (shapes & ~SHAPE_FAR))
		shapes &= ~SHAPE_FAR;
	do
		shape = 1u << below(g, 4);
	while (!(shapes & shape));
	return shape;
}

static void
pick_range(struct generator *g, struct op *op, uint64_t size_bytes)
{
	uint32_t nr = nr_on_disk(g, size_bytes), pos, n = 1, most;
	uint64_t end;

	if (nr == 0) {
		op->type = OP_ZERO;
		op->off = 0;
		op->len_bytes = size_bytes;
		return;
	}
	pos = below(g, nr);
	most = op->type == OP_READ || below(g, 2) ? 1 : 1 + below(g, g->profile->max_pages);
	while (n < most && pos + n < nr && g->model->idx[pos + n] == g->model->idx[pos] + n)
		n++;
	op->off = (uint64_t)g->model->idx[pos] << 12;
	op->len_bytes = (uint64_t)n << 12;
	switch (pick_shape(g, op)) {
	case SHAPE_SECTOR:
		op->off += 512 * (uint64_t)below(g, 8);
		op->len_bytes = 512;
		break;
	case SHAPE_RAGGED:
		end = op->off + op->len_bytes - below(g, 4095);
		op->off += below(g, end - op->off);
		op->len_bytes = end - op->off;
		break;
	case SHAPE_FAR:
		if (op->type != OP_ZERO)
			break;
		end = below(g, 2) ? size_bytes : ((uint64_t)g->model->idx[pos + below(g, nr - pos)] + 1) << 12;
		op->len_bytes = end - op->off;
		break;
	default:
		break;
	}
}

static uint64_t
pick_size(struct generator *g)
{
	uint32_t pos = below(g, g->model->nr_idx);
	uint64_t pages = (uint64_t)g->model->idx[pos] + 1, size;

	size = pages << 12;
	/* Now and then not a whole number of pages, but never one that cuts an index that is used later. */
	if (below(g, 4) == 0 && pos + 1 < g->model->nr_idx && g->model->idx[pos + 1] > pages)
		size += 512;
	return size;
}

static void
pick_object(struct generator *g, struct op *op, bool value_too)
{
	switch (below(g, 8)) {
	case 0:
		op->object = OBJECT_NONE;
		op->len_bytes = 0;
		break;
	case 1:
		op->object = (uint8_t)(OBJECT_PAGES + below(g, 3));
		op->len_bytes = 1 + below(g, UINT64_C(4096) << (op->object - OBJECT_PAGES));
		break;
	case 2:
	case 3:
	case 4:
		op->object = value_too ? OBJECT_VALUE : OBJECT_BUFFER;
		op->len_bytes = 1 + below(g, 100);
		break;
	default:
		op->object = OBJECT_BUFFER;
		op->len_bytes = 1 + below(g, below(g, 8) ? 200 : PRMEM_ALLOC_MAX);
	}
}

static void
pick_value(struct generator *g, struct op *op)
{
	uint32_t pos = below(g, g->model->nr_idx);
	int32_t content = g->model->page[op->inst][pos];
	const struct content *c = &g->model->contents->list[content];

	op->off = g->model->idx[pos];
	op->tag = 1 + below(g, 1000);
	op->old = content != CONTENT_NONE && c->kind == XA_KIND_VALUE ? c->value : 0;
	if (below(g, 4) == 0)
		op->old = 1 + below(g, 1000);
}

static void
pick_indices(struct generator *g, struct op *op)
{
	uint32_t a = below(g, g->model->nr_idx), b = a + below(g, g->model->nr_idx - a);

	op->off = g->model->idx[a];
	op->len_bytes = (uint64_t)g->model->idx[b] - g->model->idx[a] + 1;
	if (below(g, 8) == 0) {
		op->off = 0;
		op->len_bytes = UINT64_C(1) << 32;
	}
}

static uint8_t
nr_instances(const struct generator *g)
{
	uint8_t nr = 0;

	for (uint8_t i = 0; i < MAX_INSTANCES; i++)
		nr += model_state(g->model, i)->exists;
	return nr;
}

static uint32_t
pick_reserve(struct generator *g)
{
	return g->profile->reserve_percent && below(g, 100) < g->profile->reserve_percent ? OP_CREATE_RESERVE : 0;
}

static bool
begin_disk(struct generator *g, struct op *op)
{
	uint8_t place;

	if (model_state(g->model, HIDDEN_PLACE)->exists)
		return false;
	op->inst = HIDDEN_PLACE;
	if (below(g, 4) && pick_instance(g, true, true, &place))
		op->name = model_state(g->model, place)->name;
	else
		op->name = new_name(g);
	op->size_bytes = pick_size(g);
	op->old = pick_reserve(g);
	return true;
}

/* As large as it was begun, or less, as far as it holds anything. */
static uint64_t
finished_size(struct generator *g)
{
	uint64_t size_bytes = model_state(g->model, HIDDEN_PLACE)->size_bytes;
	uint32_t nr = nr_on_disk(g, size_bytes), first = 0;

	for (uint32_t pos = 0; pos < nr; pos++)
		if (g->model->page[HIDDEN_PLACE][pos] != CONTENT_NONE)
			first = pos;
	if (nr == 0 || below(g, 2))
		return size_bytes;
	return ((uint64_t)g->model->idx[first + below(g, nr - first)] + 1) << 12;
}

static bool
finish_disk(struct generator *g, struct op *op)
{
	const struct model_state *hidden = model_state(g->model, HIDDEN_PLACE);
	bool replaces = false;

	if (!hidden->exists)
		return false;
	for (uint8_t i = 0; i < MAX_INSTANCES; i++) {
		const struct model_state *state = model_state(g->model, i);

		if (!state->exists || state->name != hidden->name)
			continue;
		/* The names of a workload are numbers, and this one is another one's by now. */
		if (!state->is_disk)
			return false;
		replaces = true;
		op->inst = i;
	}
	if (!replaces && (nr_instances(g) >= g->profile->max_instances || !pick_instance(g, false, false, &op->inst)))
		return false;
	op->name = hidden->name;
	op->size_bytes = finished_size(g);
	return true;
}

/* Fill in the rest of an operation of a type.  Return: false when there can be none. */
static bool
complete(struct generator *g, struct op *op)
{
	const struct model_state *state;
	bool of_disk = op->type <= OP_RESIZE;

	op->tag = mix64(*g->random) | 1;
	if (op->type == OP_REOPEN || op->type == OP_ABANDON) {
		bool hidden = model_state(g->model, HIDDEN_PLACE)->exists;

		op->inst = hidden ? HIDDEN_PLACE : 0;
		return op->type == OP_REOPEN || hidden;
	}
	if (op->type == OP_BEGIN)
		return begin_disk(g, op);
	if (op->type == OP_FINISH)
		return finish_disk(g, op);
	if (op->type == OP_DISK_CREATE || op->type == OP_INST_CREATE) {
		if (nr_instances(g) >= g->profile->max_instances || !pick_instance(g, false, false, &op->inst))
			return false;
		op->name = new_name(g);
		op->size_bytes = op->type == OP_DISK_CREATE ? pick_size(g) : 0;
		op->old = op->type == OP_DISK_CREATE ? pick_reserve(g) : 0;
		return true;
	}
	if (op->type == OP_REMOVE || op->type == OP_RENAME)
		of_disk = below(g, 2);
	if (op->type <= OP_READ && model_state(g->model, HIDDEN_PLACE)->exists && below(g, 2))
		op->inst = HIDDEN_PLACE;
	else if (!pick_instance(g, true, of_disk, &op->inst))
		return false;
	state = model_state(g->model, op->inst);
	op->name = state->name;
	op->size_bytes = of_disk;
	switch (op->type) {
	case OP_WRITE:
	case OP_ZERO:
	case OP_READ:
		if (op->type == OP_WRITE && below(g, 100) < g->profile->zeroes_percent)
			op->tag = 0;
		pick_range(g, op, state->size_bytes);
		return op->type != OP_READ || op->len_bytes == 4096;
	case OP_RESIZE:
		op->size_bytes = pick_size(g);
		return true;
	case OP_RENAME:
		op->new_name = new_name(g);
		return true;
	case OP_SET_DATA:
		pick_object(g, op, false);
		return true;
	case OP_STORE:
		op->off = g->model->idx[below(g, g->model->nr_idx)];
		pick_object(g, op, true);
		return true;
	case OP_CMPXCHG:
		pick_value(g, op);
		return true;
	case OP_ERASE_RANGE:
		pick_indices(g, op);
		return true;
	default:
		return true;
	}
}

struct op
generate_op(const struct model *model, const struct profile *profile, uint64_t *random)
{
	struct generator g = {model, profile, random};
	uint32_t total = 0;

	for (unsigned int t = 0; t < OP_NR_TYPES; t++)
		total += profile->weight[t];
	for (unsigned int n = 0; n < 32; n++) {
		struct op op = {0};
		uint32_t w = below(&g, total);

		while (w >= profile->weight[op.type])
			w -= profile->weight[op.type++];
		if (complete(&g, &op))
			return op;
	}
	/* Nothing of what this profile likes is possible: make a disk, or rename what is there. */
	for (;;) {
		struct op op = {.type = OP_DISK_CREATE};

		if (complete(&g, &op))
			return op;
		op = (struct op){.type = OP_RENAME};
		if (complete(&g, &op))
			return op;
	}
}
