/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/explore.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
must(void *p)
{
	if (!p)
		abort();
	return p;
}

void
explorer_init(struct explorer *ex, struct persist *persist, const struct explore_target *target, uint64_t seed)
{
	uint64_t nr_lines = persist->len_bytes / CACHELINE_SIZE;

	memset(ex, 0, sizeof *ex);
	ex->persist = persist;
	ex->target = target;
	ex->random = seed;
	ex->seen = &ex->own_seen;
	ex->nr_judged = &ex->own_nr_judged;
	ex->budget = EXPLORE_ALL;
	ex->line_items = must(malloc(nr_lines * sizeof *ex->line_items));
	for (uint64_t i = 0; i < nr_lines; i++)
		ex->line_items[i] = -1;
	ex->undecided = must(calloc(persist->nr_pages, sizeof *ex->undecided));
	ex->nr_changed = must(calloc(persist->nr_pages, sizeof *ex->nr_changed));
	ex->dirty = must(calloc(persist->nr_pages, sizeof *ex->dirty));
}

void
explorer_fini(struct explorer *ex)
{
	hash_set_free(&ex->own_seen);
	free(ex->items);
	free(ex->writes);
	free(ex->cuts);
	free(ex->line_items);
	free(ex->undecided);
	free(ex->touched);
	free(ex->decided);
	free(ex->applied);
	free(ex->nr_changed);
	free(ex->dirty);
}

void
explorer_forget(struct explorer *ex, uint64_t seed)
{
	hash_set_clear(&ex->own_seen);
	ex->random = seed;
	ex->failed = false;
	ex->why[0] = '\0';
}

uint64_t
explore_random(struct explorer *ex)
{
	ex->random += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(ex->random);
}

bool
explore_fail(struct explorer *ex, const char *fmt, ...)
{
	if (!ex->failed) {
		size_t n;
		va_list ap;

		ex->failed = true;
		va_start(ap, fmt);
		vsnprintf(ex->why, sizeof ex->why, fmt, ap);
		va_end(ap);
		/* What this image is made of: the survivors among the pending. */
		n = strlen(ex->why);
		for (uint32_t i = 0; i < ex->nr_decided && n + 80 < sizeof ex->why; i++) {
			const struct explore_item *item = &ex->items[ex->decided[i]];

			n += (size_t)snprintf(ex->why + n, sizeof ex->why - n, "%s page %u+0x%x %s: %u of %u",
					      i ? "," : "; survived of the pending:", item->line / LINES_PER_PAGE,
					      item->line % LINES_PER_PAGE * CACHELINE_SIZE,
					      sim_site_name(ex->writes[item->first].site), item->state, item->nr_steps);
		}
	}
	return false;
}

/* ---- the items of a moment ---- */

static uint64_t
word_of(const uint8_t *image, uint32_t word)
{
	uint64_t value;

	memcpy(&value, image + 8 * (uint64_t)word, 8);
	return value;
}

static void
make_room(struct explorer *ex)
{
	uint32_t need = (uint32_t)(ex->persist->stores.nr + ex->persist->copies.nr);

	if (need <= ex->writes_room && ex->writes_room)
		return;
	need = 2 * need + 256;
	ex->writes = must(realloc(ex->writes, need * sizeof *ex->writes));
	ex->items = must(realloc(ex->items, need * sizeof *ex->items));
	ex->cuts = must(realloc(ex->cuts, need * sizeof *ex->cuts));
	ex->touched = must(realloc(ex->touched, need * sizeof *ex->touched));
	ex->decided = must(realloc(ex->decided, need * sizeof *ex->decided));
	ex->applied = must(realloc(ex->applied, 2 * need * sizeof *ex->applied));
	ex->writes_room = need;
}

/* Does a write change the word, given the item's writes before it? */
static bool
is_step(const struct explorer *ex, const struct explore_item *item, const struct pending *p)
{
	uint64_t before = word_of(ex->persist->base, p->word);

	if (p->seq < ex->persist->guaranteed_seq[p->word])
		return false;
	for (uint32_t i = 0; i < item->nr_writes; i++)
		if (ex->writes[item->first + i].word == p->word)
			before = ex->writes[item->first + i].value;
	/* Where another item writes the same word too, do not try to be clever. */
	return before != p->value || ex->persist->nr_pending[p->word] > 1;
}

static void
add_write(struct explorer *ex, struct explore_item *item, const struct pending *p)
{
	bool step = is_step(ex, item, p);

	ex->writes[ex->nr_writes++] =
		(struct explore_write){.value = p->value, .word = p->word, .seq = p->seq, .site = p->site};
	item->nr_writes++;
	if (step) {
		ex->cuts[ex->nr_cuts++] = item->nr_writes;
		item->nr_steps++;
	}
}

static struct explore_item
new_item(const struct explorer *ex, const struct pending *p)
{
	return (struct explore_item){
		.first = ex->nr_writes,
		.first_cut = ex->nr_cuts,
		.line = p->word / 8,
		.seq = p->seq,
	};
}

static void
add_item(struct explorer *ex, struct explore_item *item)
{
	if (item->nr_steps == 0) {
		ex->nr_writes = item->first;
		return;
	}
	item->next_in_line = ex->line_items[item->line];
	ex->line_items[item->line] = (int32_t)ex->nr_items;
	ex->undecided[item->line / LINES_PER_PAGE] |= UINT64_C(1) << item->line % LINES_PER_PAGE;
	ex->items[ex->nr_items++] = *item;
}

static void
collect_items(struct explorer *ex)
{
	const struct pending_list *stores = &ex->persist->stores, *copies = &ex->persist->copies;

	make_room(ex);
	ex->nr_items = ex->nr_writes = ex->nr_cuts = 0;
	/*
	 * Few lines have ordinary stores pending at once, and few stores each:
	 * looking for the rest of a line behind its first store is cheap.
	 */
	for (size_t i = 0; i < stores->nr; i++) {
		struct explore_item item;
		bool first = true;

		for (size_t j = i; j-- > 0 && first;)
			first = stores->p[j].word / 8 != stores->p[i].word / 8;
		if (!first)
			continue;
		item = new_item(ex, &stores->p[i]);
		for (size_t j = i; j < stores->nr; j++)
			if (stores->p[j].word / 8 == item.line)
				add_write(ex, &item, &stores->p[j]);
		add_item(ex, &item);
	}
	for (size_t i = 0; i < copies->nr; i++) {
		struct explore_item item = new_item(ex, &copies->p[i]);

		add_write(ex, &item, &copies->p[i]);
		add_item(ex, &item);
	}
}

static void
drop_items(struct explorer *ex)
{
	for (uint32_t i = 0; i < ex->nr_items; i++) {
		ex->line_items[ex->items[i].line] = -1;
		ex->undecided[ex->items[i].line / LINES_PER_PAGE] = 0;
	}
}

void
explore_touch(struct explorer *ex, uint64_t off, uint64_t len_bytes)
{
	uint64_t line = off / CACHELINE_SIZE, end = (off + len_bytes + CACHELINE_SIZE - 1) / CACHELINE_SIZE;

	while (line < end) {
		uint64_t page = line / LINES_PER_PAGE, n = LINES_PER_PAGE - line % LINES_PER_PAGE, mask;

		if (n > end - line)
			n = end - line;
		mask = (n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << line % LINES_PER_PAGE;
		mask &= ex->undecided[page];
		ex->undecided[page] &= ~mask;
		for (; mask; mask &= mask - 1) {
			int32_t i = ex->line_items[page * LINES_PER_PAGE + (unsigned int)__builtin_ctzll(mask)];

			for (; i >= 0; i = ex->items[i].next_in_line)
				ex->touched[ex->nr_touched++] = (uint32_t)i;
		}
		line += n;
	}
}

/* ---- making and judging images ---- */

static void
apply_item(struct explorer *ex, const struct explore_item *item)
{
	uint32_t nr = item->state ? ex->cuts[item->first_cut + item->state - 1] : 0;

	for (uint32_t i = 0; i < nr; i++) {
		const struct explore_write *w = &ex->writes[item->first + i];
		uint32_t at = ex->nr_applied;

		if (w->seq < ex->persist->guaranteed_seq[w->word])
			continue;
		/* In the order of the log: the last survivor of a word is what is there. */
		for (; at > 0 && ex->applied[at - 1].seq > w->seq; at--)
			ex->applied[at] = ex->applied[at - 1];
		ex->applied[at] = *w;
		ex->nr_applied++;
	}
}

static void
put_words(struct explorer *ex, uint32_t from)
{
	for (uint32_t i = from; i < ex->nr_applied; i++) {
		const struct explore_write *w = &ex->applied[i];

		memcpy(ex->persist->work + 8 * (uint64_t)w->word, &w->value, 8);
		ex->nr_changed[w->word / WORDS_PER_PAGE]++;
	}
}

static void
make_image(struct explorer *ex)
{
	ex->nr_applied = 0;
	for (uint32_t i = 0; i < ex->nr_decided; i++)
		apply_item(ex, &ex->items[ex->decided[i]]);
	put_words(ex, 0);
}

/* Random survivors where nobody has looked. */
static void
add_garbage(struct explorer *ex)
{
	uint32_t from = ex->nr_applied;
	uint64_t bits = 0;

	for (uint32_t i = 0; i < ex->nr_items; i++) {
		const struct explore_item *item = &ex->items[i];

		if (item->touched)
			continue;
		if (i % 64 == 0 || bits == 0)
			bits = explore_random(ex) | UINT64_C(1) << 63;
		if (bits & 1)
			for (uint32_t j = 0; j < item->nr_writes; j++)
				ex->applied[ex->nr_applied++] = ex->writes[item->first + j];
		bits >>= 1;
	}
	put_words(ex, from);
}

void
explore_restore(struct explorer *ex)
{
	for (uint32_t i = 0; i < ex->nr_dirty; i++) {
		uint64_t off = 4096 * (uint64_t)ex->dirty[i];

		memcpy(ex->persist->work + off, ex->persist->base + off, 4096);
		ex->nr_changed[ex->dirty[i]] &= 0x7fff;
	}
	ex->nr_dirty = 0;
	for (uint32_t i = 0; i < ex->nr_applied; i++)
		memcpy(ex->persist->work + 8 * (uint64_t)ex->applied[i].word, &ex->applied[i].value, 8);
}

static void
take_image_back(struct explorer *ex)
{
	struct persist *persist = ex->persist;

	for (uint32_t i = 0; i < ex->nr_applied; i++) {
		uint64_t off = 8 * (uint64_t)ex->applied[i].word;

		memcpy(persist->work + off, persist->base + off, 8);
		ex->nr_changed[ex->applied[i].word / WORDS_PER_PAGE] = 0;
	}
	for (uint32_t i = 0; i < ex->nr_dirty; i++) {
		uint64_t off = 4096 * (uint64_t)ex->dirty[i];

		memcpy(persist->work + off, persist->base + off, 4096);
		ex->nr_changed[ex->dirty[i]] = 0;
	}
	ex->nr_applied = 0;
	ex->nr_dirty = 0;
}

static bool explore(struct explorer *ex, uint32_t budget);

/* ---- combinations ---- */

/*
 * The items a walk has met are the last of ex->decided; each function below
 * tries some of their combinations.
 */
struct combos {
	struct explorer *ex;
	uint32_t first; /* in ex->decided */
	uint32_t nr;
	uint32_t budget; /* for each image's own further items */
	uint32_t left; /* combinations that may still be tried */
};

static struct explore_item *
combo_item(const struct combos *c, uint32_t i)
{
	return &c->ex->items[c->ex->decided[c->first + i]];
}

static void
set_all(const struct combos *c, bool survive)
{
	for (uint32_t i = 0; i < c->nr; i++)
		combo_item(c, i)->state = survive ? combo_item(c, i)->nr_steps : 0;
}

static bool
try_combo(struct combos *c)
{
	if (c->left == 0)
		return true;
	c->left--;
	return explore(c->ex, c->budget);
}

static bool
try_all(struct combos *c)
{
	set_all(c, false);
	for (;;) {
		uint32_t i;

		if (!try_combo(c))
			return false;
		for (i = 0; i < c->nr; i++) {
			if (combo_item(c, i)->state < combo_item(c, i)->nr_steps) {
				combo_item(c, i)->state++;
				break;
			}
			combo_item(c, i)->state = 0;
		}
		if (i == c->nr)
			return true;
	}
}

static bool
try_each(struct combos *c)
{
	set_all(c, false);
	for (uint32_t i = 0; i < c->nr; i++) {
		struct explore_item *item = combo_item(c, i);

		for (item->state = 1; item->state <= item->nr_steps; item->state++)
			if (!try_combo(c))
				return false;
		item->state = 0;
	}
	set_all(c, true);
	for (uint32_t i = 0; i < c->nr; i++) {
		struct explore_item *item = combo_item(c, i);

		for (item->state = 0; item->state < item->nr_steps; item->state++)
			if (!try_combo(c))
				return false;
		item->state = item->nr_steps;
	}
	return true;
}

static bool
try_prefixes(struct combos *c)
{
	/* Items are met in order of place; a prefix goes by order of time. */
	for (uint32_t i = 0; i < c->nr; i++) {
		uint32_t until = combo_item(c, i)->seq;

		for (uint32_t j = 0; j < c->nr; j++) {
			struct explore_item *item = combo_item(c, j);

			item->state = 0;
			while (item->state < item->nr_steps &&
			       c->ex->writes[item->first + c->ex->cuts[item->first_cut + item->state] - 1].seq <= until)
				item->state++;
		}
		/* Words of one copy have one number in the log: also cut inside it. */
		for (uint32_t j = i + 1; j < c->nr; j++)
			if (combo_item(c, j)->seq == until)
				combo_item(c, j)->state = 0;
		if (!try_combo(c))
			return false;
	}
	return true;
}

/*
 * Each copy and each line as a whole or not at all, in all combinations: what
 * belongs together usually does arrive together.
 */
static bool
try_groups(struct combos *c, uint32_t limit)
{
	uint32_t seqs[10], nr = 0;

	for (uint32_t i = 0; i < c->nr; i++) {
		uint32_t g = 0;

		while (g < nr && seqs[g] != combo_item(c, i)->seq)
			g++;
		if (g < nr)
			continue;
		if (nr == ARRAY_SIZE(seqs) || 2u << nr > limit)
			return true;
		seqs[nr++] = combo_item(c, i)->seq;
	}
	for (uint32_t set = 0; set < 1u << nr; set++) {
		for (uint32_t i = 0; i < c->nr; i++) {
			struct explore_item *item = combo_item(c, i);
			uint32_t g = 0;

			while (seqs[g] != item->seq)
				g++;
			item->state = set >> g & 1 ? item->nr_steps : 0;
		}
		if (!try_combo(c))
			return false;
	}
	return true;
}

static bool
try_pairs(struct combos *c, uint32_t limit)
{
	uint64_t nr_pairs = (uint64_t)c->nr * (c->nr - 1) / 2;

	set_all(c, false);
	if (nr_pairs <= limit) {
		for (uint32_t i = 0; i < c->nr; i++)
			for (uint32_t j = i + 1; j < c->nr; j++) {
				combo_item(c, i)->state = combo_item(c, i)->nr_steps;
				combo_item(c, j)->state = combo_item(c, j)->nr_steps;
				if (!try_combo(c))
					return false;
				combo_item(c, i)->state = combo_item(c, j)->state = 0;
			}
		return true;
	}
	for (uint32_t n = 0; n < limit; n++) {
		uint64_t r = explore_random(c->ex);
		struct explore_item *a = combo_item(c, (uint32_t)(r >> 32) % c->nr);
		struct explore_item *b = combo_item(c, (uint32_t)r % c->nr);

		a->state = a->nr_steps;
		b->state = b->nr_steps;
		if (!try_combo(c))
			return false;
		a->state = b->state = 0;
	}
	return true;
}

static bool
try_random(struct combos *c, uint32_t limit)
{
	for (uint32_t n = 0; c->left && n < limit; n++) {
		for (uint32_t i = 0; i < c->nr; i++)
			combo_item(c, i)->state =
				(uint32_t)(explore_random(c->ex) >> 32) % (combo_item(c, i)->nr_steps + 1);
		if (!try_combo(c))
			return false;
	}
	return true;
}

static bool
explore_combos(struct explorer *ex, uint32_t first, uint32_t budget)
{
	struct combos c = {.ex = ex, .first = first, .nr = ex->nr_decided - first};
	uint64_t nr_all = 1;

	for (uint32_t i = 0; i < c.nr && nr_all <= budget; i++)
		nr_all *= combo_item(&c, i)->nr_steps + 1;
	c.left = nr_all <= budget ? (uint32_t)nr_all : budget;
	c.budget = MAX(budget / c.left, 48);
	if (nr_all <= budget)
		return try_all(&c);

	ex->nr_sampled++;
	set_all(&c, false);
	if (!try_combo(&c))
		return false;
	set_all(&c, true);
	/* Some random ones early: a run that is cut short has had some of all. */
	return try_combo(&c) && try_groups(&c, budget / 4) && try_random(&c, budget / 16) && try_prefixes(&c) &&
	       try_each(&c) && try_pairs(&c, budget / 4) && try_random(&c, budget);
}

/*
 * With the states of ex->decided as they are: walk; judge the image if all
 * that the walk met is decided, otherwise decide it in every way.
 */
static bool
explore(struct explorer *ex, uint32_t budget)
{
	uint32_t first = ex->nr_decided;
	uint64_t hash;
	bool ok;

	if (ex->max_judged && *ex->nr_judged >= ex->max_judged)
		return true;
	make_image(ex);
	ex->nr_touched = 0;
	hash = ex->target->walk(ex->target->opaque, ex);
	if (ex->nr_touched == 0) {
		bool fresh = hash_set_put(ex->seen, hash);

		ex->nr_walked++;
		if (fresh) {
			ex->nr_distinct++;
			++*ex->nr_judged;
			add_garbage(ex);
		}
		ok = ex->target->judge(ex->target->opaque, ex, fresh);
		take_image_back(ex);
		return ok && !ex->failed;
	}
	take_image_back(ex);
	for (uint32_t i = 0; i < ex->nr_touched; i++) {
		ex->decided[ex->nr_decided++] = ex->touched[i];
		ex->items[ex->touched[i]].touched = true;
	}
	ok = explore_combos(ex, first, budget);
	while (ex->nr_decided > first) {
		struct explore_item *item = &ex->items[ex->decided[--ex->nr_decided]];

		item->touched = false;
		item->state = 0;
		ex->undecided[item->line / LINES_PER_PAGE] |= UINT64_C(1) << item->line % LINES_PER_PAGE;
	}
	return ok;
}

bool
explore_point(struct explorer *ex)
{
	bool ok;

	ex->nr_points++;
	collect_items(ex);
	ex->nr_decided = 0;
	ok = explore(ex, ex->budget);
	drop_items(ex);
	return ok;
}
