/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The images that a power failure could leave, at one moment.
 *
 * What is pending (persist.h) is grouped into items that survive
 * independently: the ordinary stores of a line (as any prefix), and each word
 * of a non-temporal copy.  All combinations of all items would be far too
 * many, and nearly all of them differ only in memory that nothing refers to.
 * So items are decided when they are looked at: an image is walked as its
 * owner would walk it; where the walk looks at a place with an undecided
 * item, all states of that item are tried, and each is walked again, until a
 * walk meets decided memory only.  What no walk of an image looks at cannot
 * make a difference to it; it is filled with a random choice, once, so that
 * the program under test does meet garbage there.
 *
 * Where the items met at once have at most EXPLORE_ALL combinations, all are
 * tried; otherwise none, all, whole copies and lines in all combinations, each
 * item alone, all but one, pairs, prefixes in program order, and random ones.
 */
#ifndef PRMEM_TESTS_EXPLORE_H
#define PRMEM_TESTS_EXPLORE_H

#include "tests/crash/hash_set.h"
#include "tests/crash/persist.h"

#define EXPLORE_ALL 4096u

struct explorer;

struct explore_target {
	/*
	 * Walk the image in ex->persist->work; call explore_touch() for every
	 * range that is looked at.  Return: a hash of all that was reached.
	 */
	uint64_t (*walk)(void *opaque, struct explorer *ex);
	/*
	 * Judge the image that was walked last.
	 * @fresh: no image that reaches the same has been judged as fresh; the
	 *   image may then be changed (explore_dirty() tells of it)
	 * Return: false, after explore_fail(), when it is wrong.
	 */
	bool (*judge)(void *opaque, struct explorer *ex, bool fresh);
	void *opaque;
};

struct explore_item {
	uint32_t first; /* of its writes in ex->writes */
	uint32_t nr_writes;
	uint32_t line;
	uint32_t state; /* how many of its steps survive */
	uint32_t nr_steps;
	uint32_t first_cut; /* in ex->cuts: number of writes that step 1, 2, ... stands for */
	int32_t next_in_line;
	uint32_t seq; /* of its first write */
	bool touched;
};

struct explore_write {
	uint64_t value;
	uint32_t word;
	uint32_t seq;
	uint16_t site;
};

struct explorer {
	struct persist *persist;
	const struct explore_target *target;
	uint64_t random; /* state of the seeded sequence */
	struct hash_set *seen; /* own_seen, or another explorer's */
	struct hash_set own_seen;
	uint64_t nr_walked; /* images walked to their end */
	uint64_t nr_distinct; /* of these, images that reach something new */
	uint64_t *nr_judged; /* distinct images, of all explorers that share the count */
	uint64_t own_nr_judged;
	uint64_t max_judged; /* stop there; 0: never */
	uint32_t budget; /* combinations to try at a moment at most: EXPLORE_ALL, or fewer */
	uint64_t nr_points; /* moments explored */
	uint64_t nr_sampled; /* of these, where not all combinations were tried */
	bool failed;
	char why[1024];

	/* the moment that is being explored */
	struct explore_item *items;
	uint32_t nr_items, items_room;
	struct explore_write *writes;
	uint32_t nr_writes, writes_room;
	uint32_t *cuts;
	uint32_t nr_cuts, cuts_room;
	int32_t *line_items; /* a line: its first item, or -1 */
	uint64_t *undecided; /* a page: bit per line with untouched items */
	uint32_t *touched; /* items met by the walk under way */
	uint32_t nr_touched;
	uint32_t *decided;
	uint32_t nr_decided;
	struct explore_write *applied;
	uint32_t nr_applied;
	uint16_t *nr_changed; /* a page: words of work that differ from base, or 0x8000 for dirty */
	uint32_t *dirty;
	uint32_t nr_dirty;
};

void explorer_init(struct explorer *ex, struct persist *persist, const struct explore_target *target, uint64_t seed);
void explorer_fini(struct explorer *ex);

/* explorer_forget() - start a new run: no image has been seen. */
void explorer_forget(struct explorer *ex, uint64_t seed);

/* explore_point() - judge all images of this moment.  Return: false when one was wrong. */
bool explore_point(struct explorer *ex);

/* explore_touch() - the walk looks at a range. */
void explore_touch(struct explorer *ex, uint64_t off, uint64_t len_bytes);

/*
 * explore_stamp() - what identifies the content of a page in this image: the
 * same number means the same content.  0: it is this image's own.
 */
static inline uint32_t
explore_stamp(const struct explorer *ex, uint32_t page)
{
	return ex->nr_changed[page] ? 0 : ex->persist->stamp[page];
}

/* explore_dirty() - a page of the image is about to be changed. */
static inline void
explore_dirty(struct explorer *ex, uint32_t page)
{
	if (!(ex->nr_changed[page] & 0x8000)) {
		ex->nr_changed[page] |= 0x8000;
		ex->dirty[ex->nr_dirty++] = page;
	}
}

/* explore_restore() - undo what a judge did to the image: it is again what the crash left. */
void explore_restore(struct explorer *ex);

/* explore_fail() - the image is wrong; the first message stays.  Return: false. */
bool explore_fail(struct explorer *ex, const char *fmt, ...) PRINTF_LIKE(2, 3);

uint64_t explore_random(struct explorer *ex);

#endif
