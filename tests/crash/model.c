/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool PRINTF_LIKE(2, 3) wrong(struct model *model, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(model->wrong, sizeof model->wrong, fmt, ap);
	va_end(ap);
	return false;
}

void
model_init(struct model *model, struct contents *contents, const uint32_t *idx, uint32_t nr_idx)
{
	memset(model, 0, sizeof *model);
	memset(model->open_of, 0xff, sizeof model->open_of);
	model->contents = contents;
	memcpy(model->idx, idx, nr_idx * sizeof *idx);
	model->nr_idx = nr_idx;
	for (uint8_t i = 0; i < NR_PLACES; i++)
		model->inst[i].nr = 1;
}

static void
copy_open(struct model_open *to, const struct model_open *from)
{
	memcpy(to, from, offsetof(struct model_open, c) + from->nr * sizeof from->c[0]);
}

void
model_copy(struct model *to, const struct model *from)
{
	memcpy(to, from, offsetof(struct model, open));
	to->nr_open = from->nr_open;
	for (uint32_t i = 0; i < from->nr_open; i++)
		copy_open(&to->open[i], &from->open[i]);
	memcpy(to->under_way, from->under_way, sizeof to->under_way);
	memcpy(to->readable, from->readable, sizeof to->readable);
	memcpy(to->nr_readable, from->nr_readable, sizeof to->nr_readable);
	to->wrong[0] = '\0';
}

/* ---- instances ---- */

static bool
instance_effect(struct model *model, const struct op *op, struct model_state *state)
{
	switch (op->type) {
	case OP_FINISH: {
		bool reserved = state->reserved || model_state(model, HIDDEN_PLACE)->reserved;

		memset(state, 0, sizeof *state);
		state->exists = true;
		state->is_disk = true;
		state->reserved = reserved;
		state->name = op->name;
		state->size_bytes = op->size_bytes;
		return true;
	}
	case OP_DISK_CREATE:
	case OP_INST_CREATE:
	case OP_BEGIN:
		if (state->exists)
			return false;
		memset(state, 0, sizeof *state);
		state->exists = true;
		state->is_disk = op->type != OP_INST_CREATE;
		state->reserved = state->is_disk && op->old == OP_CREATE_RESERVE;
		state->name = op->name;
		state->size_bytes = op->size_bytes;
		return true;
	case OP_REMOVE:
	case OP_ABANDON:
	case OP_REOPEN:
		if (!state->exists)
			return false;
		memset(state, 0, sizeof *state);
		return true;
	case OP_RENAME:
		state->name = op->new_name;
		return state->exists;
	case OP_RESIZE:
		state->size_bytes = op->size_bytes;
		return state->exists;
	case OP_SET_DATA:
		state->data = op_data(model->contents, op);
		return state->exists;
	default:
		return false;
	}
}

static bool
changes_instance(const struct op *op)
{
	return op->type == OP_DISK_CREATE || op->type == OP_INST_CREATE || op->type == OP_REMOVE ||
	       op->type == OP_RENAME || op->type == OP_RESIZE || op->type == OP_SET_DATA || op->type == OP_BEGIN ||
	       op->type == OP_FINISH || op->type == OP_ABANDON || (op->type == OP_REOPEN && op->inst == HIDDEN_PLACE);
}

static bool
add_state(struct model_instance *inst, const struct model_state *state, uint8_t applied)
{
	for (uint8_t i = 0; i < inst->nr; i++)
		if (inst->c[i].applied == applied && memcmp(&inst->c[i].state, state, sizeof *state) == 0)
			return true;
	if (inst->nr == ARRAY_SIZE(inst->c))
		return false;
	inst->c[inst->nr].state = *state;
	inst->c[inst->nr++].applied = applied;
	return true;
}

/* Every operation under way, applied to every state it has not been applied to, in every order. */
static bool
close_over_instance(struct model *model, uint8_t place)
{
	struct model_instance *inst = &model->inst[place];

	for (uint8_t i = 0; i < inst->nr; i++)
		for (unsigned int t = 0; t < SIM_NR_THREADS; t++) {
			const struct op *op = model->under_way[t];
			struct model_state state = inst->c[i].state;

			if (!op || op->inst != place || !changes_instance(op) || inst->c[i].applied >> t & 1 ||
			    !instance_effect(model, op, &state))
				continue;
			if (!add_state(inst, &state, (uint8_t)(inst->c[i].applied | 1u << t)))
				return wrong(model, "the model has no room for more states of an instance");
		}
	return true;
}

static void
ack_instance(struct model *model, unsigned int thread, const struct op *op, bool ok)
{
	struct model_instance *inst = &model->inst[op->inst], before = *inst;

	inst->nr = 0;
	for (uint8_t i = 0; i < before.nr; i++)
		if ((before.c[i].applied >> thread & 1) == ok)
			add_state(inst, &before.c[i].state, before.c[i].applied & (uint8_t) ~(1u << thread));
}

/* ---- indices ---- */

static struct model_open *
open_index(struct model *model, uint8_t inst, uint32_t pos)
{
	struct model_open *o;

	if (model->open_of[inst][pos] >= 0)
		return &model->open[model->open_of[inst][pos]];
	if (model->nr_open == MODEL_MAX_OPEN)
		return NULL;
	model->open_of[inst][pos] = (int16_t)model->nr_open;
	o = &model->open[model->nr_open++];
	o->inst = inst;
	o->pos = (uint8_t)pos;
	o->nr = 1;
	o->c[0] = (struct model_candidate){.content = model->page[inst][pos]};
	return o;
}

static void
close_index(struct model *model, struct model_open *o, int32_t content)
{
	struct model_open *last = &model->open[--model->nr_open];

	model->page[o->inst][o->pos] = content;
	model->open_of[o->inst][o->pos] = -1;
	if (last != o) {
		copy_open(o, last);
		model->open_of[o->inst][o->pos] = (int16_t)(o - model->open);
	}
}

static bool
add_candidate(struct model_open *o, struct model_candidate c)
{
	for (uint8_t i = 0; i < o->nr; i++)
		if (o->c[i].content == c.content && o->c[i].applied == c.applied && o->c[i].matched == c.matched)
			return true;
	if (o->nr == MODEL_MAX_CANDIDATES)
		return false;
	o->c[o->nr++] = c;
	return true;
}

static void
note_readable(struct model *model, const struct model_open *o)
{
	for (unsigned int t = 0; t < SIM_NR_THREADS; t++) {
		const struct op *op = model->under_way[t];

		if (!op || op->type != OP_READ || op->inst != o->inst || !op_affects(op, model->idx[o->pos]))
			continue;
		for (uint8_t i = 0; i < o->nr && model->nr_readable[t] < MODEL_MAX_READ; i++)
			model->readable[t][model->nr_readable[t]++] = op_read_result(model->contents, o->c[i].content);
	}
}

/* Every operation under way, applied to every candidate it has not been applied to, in every order. */
static bool
close_over(struct model *model, struct model_open *o)
{
	uint32_t idx = model->idx[o->pos];

	for (uint8_t i = 0; i < o->nr; i++)
		for (unsigned int t = 0; t < SIM_NR_THREADS; t++) {
			const struct op *op = model->under_way[t];
			struct model_candidate c = o->c[i];
			bool matched;

			if (!op || op->inst != o->inst || op->type == OP_READ || c.applied >> t & 1 ||
			    !op_affects(op, idx))
				continue;
			matched = false;
			if (op->type == OP_FINISH)
				c.content = model->page[HIDDEN_PLACE][o->pos];
			else
				c.content = op_effect(model->contents, op, idx, c.content, &matched);
			c.applied |= (uint8_t)(1u << t);
			c.matched |= (uint8_t)((unsigned int)matched << t);
			if (!add_candidate(o, c))
				return wrong(model, "the model has no room for more candidates of index %u", idx);
		}
	note_readable(model, o);
	return true;
}

/* A new instance holds nothing, whatever its predecessor at this place of the model held. */
static void
clear_instance(struct model *model, uint8_t inst)
{
	for (uint32_t pos = 0; pos < model->nr_idx; pos++) {
		int16_t at = model->open_of[inst][pos];

		if (at >= 0)
			close_index(model, &model->open[at], CONTENT_NONE);
		model->page[inst][pos] = CONTENT_NONE;
	}
}

/* Until it is acknowledged: what was there before, or nothing, or no pool yet. */
static void
begin_format(struct model *model, unsigned int thread)
{
	model->may_be_unformatted = true;
	for (uint8_t i = 0; i < NR_PLACES; i++) {
		struct model_instance *inst = &model->inst[i];

		inst->c[inst->nr].state = (struct model_state){.exists = false};
		inst->c[inst->nr++].applied = (uint8_t)(1u << thread);
	}
}

static void
ack_format(struct model *model)
{
	model->may_be_unformatted = false;
	for (uint8_t i = 0; i < NR_PLACES; i++) {
		model->inst[i].nr = 1;
		model->inst[i].c[0].state = (struct model_state){.exists = false};
		model->inst[i].c[0].applied = 0;
	}
}

bool
model_begin(struct model *model, unsigned int thread, const struct op *op)
{
	model->under_way[thread] = op;
	model->nr_readable[thread] = 0;
	if (op->type == OP_DISK_CREATE || op->type == OP_INST_CREATE || op->type == OP_BEGIN ||
	    (op->type == OP_FINISH && !model_state(model, op->inst)->exists))
		clear_instance(model, op->inst);
	if (op->type == OP_FINISH)
		model->may_be_replacing = true;
	if (op->type == OP_FORMAT)
		begin_format(model, thread);
	if (op->type == OP_GROW || op->type == OP_ADD_REGION)
		model->nr_pages_max = op->size_bytes >> 12;
	if (changes_instance(op) && !close_over_instance(model, op->inst))
		return false;
	for (uint32_t pos = 0; pos < model->nr_idx; pos++) {
		struct model_open *o;

		if (!op_affects(op, model->idx[pos]))
			continue;
		o = open_index(model, op->inst, pos);
		if (!o)
			return wrong(model, "the model has no room for more indices");
		if (!close_over(model, o))
			return false;
	}
	return true;
}

static bool
anything_under_way(const struct model *model, const struct model_open *o)
{
	for (unsigned int t = 0; t < SIM_NR_THREADS; t++)
		if (model->under_way[t] && model->under_way[t]->inst == o->inst &&
		    op_affects(model->under_way[t], model->idx[o->pos]))
			return true;
	return false;
}

static void
filter_candidates(struct model_open *o, unsigned int thread, const struct op *op, int64_t result)
{
	uint8_t nr = o->nr;
	uint8_t bit = (uint8_t)(1u << thread);

	o->nr = 0;
	for (uint8_t i = 0; i < nr; i++) {
		struct model_candidate c = o->c[i];

		if (result >= 0 && op->type != OP_READ) {
			if (!(c.applied & bit))
				continue;
			if (op->type == OP_CMPXCHG && !(c.matched & bit) != !result)
				continue;
		}
		c.applied &= (uint8_t)~bit;
		c.matched &= (uint8_t)~bit;
		add_candidate(o, c);
	}
}

/* What is there at an index of an instance, in an image. */
static int32_t
content_in(const struct media *media, const struct media_instance *inst, uint32_t idx)
{
	for (uint32_t i = 0; i < inst->nr_entries; i++)
		if (media->entries[inst->first_entry + i].idx == idx)
			return media->entries[inst->first_entry + i].content;
	return CONTENT_NONE;
}

static const struct media_instance *
instance_in(const struct media *media, const struct model_state *state)
{
	char name[16];

	op_instance_name(state->name, state->is_disk, name);
	return media_instance_named(media, op_subsystem(state->is_disk), name);
}

/* The one that was begun. */
static const struct media_instance *
unfinished_in(const struct media *media)
{
	for (uint32_t i = 0; i < media->nr_instances; i++)
		if ((le32_to_cpu(media->instances[i].rec->flags) & RECORD_FLAG_UNFINISHED) != 0)
			return &media->instances[i];
	return NULL;
}

static bool
narrow(struct model *model, struct model_open *o, const struct media *visible)
{
	const struct media_instance *inst =
		o->inst == HIDDEN_PLACE ? unfinished_in(visible) : instance_in(visible, model_state(model, o->inst));
	uint32_t idx = model->idx[o->pos];
	int32_t seen;

	if (!inst)
		return true; /* it is being removed */
	seen = content_in(visible, inst, idx);
	for (uint8_t i = 0; i < o->nr; i++)
		if (o->c[i].content == seen) {
			close_index(model, o, seen);
			return true;
		}
	return wrong(model, "index %u of %s: the program itself sees what no order of its operations makes", idx,
		     inst->rec->name);
}

static bool
result_is_possible(struct model *model, unsigned int thread, const struct op *op, int64_t result)
{
	bool others = false, nothing_there = false;

	if (result >= 0 && op->type == OP_READ) {
		for (uint32_t i = 0; i < model->nr_readable[thread]; i++)
			if (model->readable[thread][i] == result)
				return true;
		return wrong(model, "a read answered what was never there");
	}
	if (result >= 0)
		return true;
	/* What is written already has its room: only a reservation may be in want of some. */
	if (op->type == OP_BEGIN || op->type == OP_FINISH || op->type == OP_ABANDON)
		return (result == -ENOSPC && (op->type == OP_BEGIN || model_state(model, op->inst)->reserved)) ||
		       wrong(model, "it failed with %" PRId64, result);
	for (unsigned int t = 0; t < SIM_NR_THREADS; t++)
		others = others || (t != thread && model->under_way[t] && changes_instance(model->under_way[t]));
	for (uint8_t i = 0; i < model->inst[op->inst].nr; i++)
		others = others || !model->inst[op->inst].c[i].state.exists;
	if ((result == -ESHUTDOWN || result == -ENOENT || result == -EEXIST || result == -ENXIO) && others)
		return true;
	for (uint32_t pos = 0; pos < model->nr_idx; pos++) {
		const struct model_open *o;

		if (!op_affects(op, model->idx[pos]) || model->open_of[op->inst][pos] < 0)
			continue;
		o = &model->open[model->open_of[op->inst][pos]];
		for (uint8_t i = 0; i < o->nr; i++)
			nothing_there = nothing_there || o->c[i].content == CONTENT_NONE;
	}
	if (result == -ENOSPC && op->type == OP_WRITE && model_state(model, op->inst)->reserved)
		return wrong(model, "a reserved disk cannot be written for want of room");
	/* P7: what is there already can always be overwritten, zeroed and trimmed. */
	if (result == -ENOSPC && op->type != OP_ZERO && op->type != OP_ERASE_RANGE && op->type != OP_REMOVE &&
	    (op->type != OP_WRITE || nothing_there))
		return true;
	return wrong(model, "it failed with %" PRId64, result);
}

static void
ack_finish(struct model *model, bool ok)
{
	model->may_be_replacing = false;
	if (ok)
		model->inst[HIDDEN_PLACE].c[0].state = (struct model_state){.exists = false};
}

bool
model_ack(struct model *model, unsigned int thread, int64_t result, const struct media *visible)
{
	const struct op *op = model->under_way[thread];

	if (!result_is_possible(model, thread, op, result))
		return false;
	model->under_way[thread] = NULL;
	model->nr_acked++;
	if (changes_instance(op))
		ack_instance(model, thread, op, result >= 0);
	if (op->type == OP_FORMAT)
		ack_format(model);
	if (op->type == OP_FINISH)
		ack_finish(model, result >= 0);
	if (op->type == OP_GROW || op->type == OP_ADD_REGION)
		model->nr_pages_min = model->nr_pages_max;
	if (model->inst[op->inst].nr == 0)
		return wrong(model, "no state of the instance is possible any more");
	for (uint32_t i = model->nr_open; i-- > 0;) {
		struct model_open *o = &model->open[i];

		if (o->inst != op->inst || !op_affects(op, model->idx[o->pos]))
			continue;
		filter_candidates(o, thread, op, result);
		if (o->nr == 0)
			return wrong(model, "index %u: the answer %" PRId64 " fits no order of the operations",
				     model->idx[o->pos], result);
		if (anything_under_way(model, o))
			continue;
		/* A disk that could not be finished changed nothing: the first candidate is what was there. */
		if (o->nr == 1 || (op->type == OP_FINISH && result < 0))
			close_index(model, o, o->c[0].content);
		else if (visible && !narrow(model, o, visible))
			return false;
	}
	return true;
}

/* ---- judging an image ---- */

static bool
same_state(const struct media_instance *inst, const struct model_state *state)
{
	return le64_to_cpu(inst->rec->size_bytes) == (state->is_disk ? state->size_bytes : 0) &&
	       ((le32_to_cpu(inst->rec->flags) & RECORD_FLAG_RESERVE) != 0) == state->reserved &&
	       inst->data == state->data;
}

/* A state is made up of what some operations did; those in @whole did it to all indices, or to none. */
static bool
may_be(const struct model *model, uint8_t inst, uint32_t pos, int32_t content, uint8_t whole, uint8_t applied)
{
	int16_t at = model->open_of[inst][pos];

	if (at < 0)
		return model->page[inst][pos] == content;
	for (uint8_t i = 0; i < model->open[at].nr; i++) {
		const struct model_candidate *c = &model->open[at].c[i];

		if (c->content == content && ((c->applied ^ applied) & whole) == 0)
			return true;
	}
	return false;
}

static bool
judge_entries(struct model *model, uint8_t i, const struct media *media, const struct media_instance *inst,
	      uint8_t whole, uint8_t applied)
{
	const struct media_entry *e = &media->entries[inst->first_entry], *end = e + inst->nr_entries;

	for (uint32_t pos = 0; pos < model->nr_idx; pos++) {
		int32_t content = CONTENT_NONE;

		if (e != end && e->idx < model->idx[pos])
			break;
		if (e != end && e->idx == model->idx[pos])
			content = (e++)->content;
		if (!may_be(model, i, pos, content, whole, applied))
			return wrong(model, "index %u of %s holds %s; it may hold %s", model->idx[pos], inst->rec->name,
				     content == CONTENT_UNKNOWN ? "what was never written"
				     : content == CONTENT_NONE	? "nothing"
								: "another content",
				     whole				   ? "what all of the disk has, old or new"
				     : model->open_of[i][pos] >= 0	   ? "old or new"
				     : model->page[i][pos] == CONTENT_NONE ? "nothing"
									   : "one content only");
	}
	if (e != end)
		return wrong(model, "index %u of %s holds something, and was never written", e->idx, inst->rec->name);
	return true;
}

/* The threads whose operation under way is done to all of a place at once. */
static uint8_t
done_as_a_whole(const struct model *model, uint8_t place)
{
	uint8_t whole = 0;

	for (unsigned int t = 0; t < SIM_NR_THREADS; t++)
		if (model->under_way[t] && model->under_way[t]->type == OP_FINISH && model->under_way[t]->inst == place)
			whole |= (uint8_t)(1u << t);
	return whole;
}

static bool
judge_place(struct model *model, uint8_t place, const struct media *media, uint32_t *nr_found)
{
	const struct model_instance *mi = &model->inst[place];
	const struct media_instance *inst = NULL;
	uint8_t whole = done_as_a_whole(model, place);
	bool may_be_missing = false, found = false;

	for (uint8_t c = 0; c < mi->nr; c++) {
		const struct media_instance *named;

		if (!mi->c[c].state.exists) {
			may_be_missing = true;
			continue;
		}
		named = instance_in(media, &mi->c[c].state);
		inst = named ? named : inst;
		if (!named || !same_state(named, &mi->c[c].state))
			continue;
		*nr_found += !found;
		found = true;
		if (judge_entries(model, place, media, named, whole, mi->c[c].applied))
			return true;
		/* The same size, but not what another state of it holds? */
		if (!whole)
			return false;
	}
	if (found)
		return false;
	if (inst)
		return wrong(model, "%s is neither as it was nor as it should become: %" PRIu64 " bytes, flags %u",
			     inst->rec->name, le64_to_cpu(inst->rec->size_bytes), le32_to_cpu(inst->rec->flags));
	return may_be_missing || wrong(model, "instance %u (name %u) is missing", place, mi->c[0].state.name);
}

/* Those that nobody can find: one that was begun, one that was replaced. */
static bool
judge_hidden(struct model *model, const struct media *media)
{
	const struct model_instance *mi = &model->inst[HIDDEN_PLACE];
	uint32_t nr = 0;

	for (uint8_t c = 0; c < mi->nr; c++)
		nr |= mi->c[c].state.exists;
	if (media->nr_unfinished > nr)
		return wrong(model, "%u unfinished disks are there, and should be gone", media->nr_unfinished - nr);
	return media->nr_replacing == 0 || model->may_be_replacing ||
	       wrong(model, "a disk has replaced another one, and that is not settled");
}

bool
model_judge(struct model *model, const struct media *media)
{
	uint32_t nr_found = 0;

	if (!media->formatted)
		return model->may_be_unformatted || wrong(model, "neither superblock is valid");
	if (model->nr_pages_max && le64_to_cpu(media->sb->nr_pages) != model->nr_pages_min &&
	    le64_to_cpu(media->sb->nr_pages) != model->nr_pages_max)
		return wrong(model, "the pool has %" PRIu64 " pages, and should have %" PRIu64,
			     le64_to_cpu(media->sb->nr_pages), model->nr_pages_min);
	for (uint8_t i = 0; i < MAX_INSTANCES; i++)
		if (!judge_place(model, i, media, &nr_found))
			return false;
	if (nr_found != media->nr_instances - media->nr_removed)
		return wrong(model, "there are %u instances, %u of them are known",
			     media->nr_instances - media->nr_removed, nr_found);
	return judge_hidden(model, media);
}

/* What there is of the instance at place @i, as one of its possible states. */
static const struct media_instance *
find_state(const struct model *from, uint8_t i, const struct media *media, struct model_state *ret_state)
{
	for (uint8_t c = 0; c < from->inst[i].nr; c++) {
		const struct model_state *state = &from->inst[i].c[c].state;
		const struct media_instance *inst = state->exists ? instance_in(media, state) : NULL;

		if (inst && same_state(inst, state)) {
			*ret_state = *state;
			return inst;
		}
	}
	*ret_state = (struct model_state){.exists = false};
	return NULL;
}

static void
settle_index(struct model *model, uint8_t i, uint32_t pos, int32_t content, bool opened)
{
	const struct model_state *state = model_state(model, i);
	struct model_open *o;

	if (!state->is_disk || (uint64_t)model->idx[pos] << PRMEM_PAGE_SHIFT < state->size_bytes) {
		model->page[i][pos] = content;
	} else if (!opened) {
		o = open_index(model, i, pos);
		if (o)
			add_candidate(o, (struct model_candidate){.content = content});
	}
}

void
model_settle(struct model *model, const struct model *from, const struct media *media, bool opened)
{
	model->contents = from->contents;
	model->nr_idx = from->nr_idx;
	memcpy(model->idx, from->idx, from->nr_idx * sizeof from->idx[0]);
	memset(model->open_of, 0xff, sizeof model->open_of);
	memset(model->page, 0, sizeof model->page);
	memset(model->under_way, 0, sizeof model->under_way);
	model->nr_open = 0;
	model->may_be_unformatted = !media->formatted;
	model->nr_pages_min = model->nr_pages_max = media->formatted ? le64_to_cpu(media->sb->nr_pages) : 0;
	model->may_be_replacing = !opened && media->nr_replacing > 0;
	model->inst[HIDDEN_PLACE].nr = 1;
	model->inst[HIDDEN_PLACE].c[0].applied = 0;
	model->inst[HIDDEN_PLACE].c[0].state = (struct model_state){.exists = !opened && media->nr_unfinished > 0};
	for (uint8_t i = 0; i < MAX_INSTANCES; i++) {
		const struct media_instance *inst;
		const struct media_entry *e;
		uint32_t pos = 0;

		model->inst[i].nr = 1;
		model->inst[i].c[0].applied = 0;
		inst = find_state(from, i, media, &model->inst[i].c[0].state);
		if (!inst)
			continue;
		e = &media->entries[inst->first_entry];
		for (uint32_t n = 0; n < inst->nr_entries; n++, e++) {
			while (pos < model->nr_idx && model->idx[pos] < e->idx)
				pos++;
			if (pos < model->nr_idx && model->idx[pos] == e->idx)
				settle_index(model, i, pos, e->content, opened);
		}
	}
}
