/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated memory by itself: that exactly those images are made which
 * the model allows, and that small protocols with a planted bug are caught
 * while the correct ones are not.
 */
#include "tests/crash/replay.h"
#include "tests/crash/sim_pm.h"
#include "tests/unit/unit.h"

#define MEMORY_BYTES 16384u

struct fixture {
	struct sim_pm sim;
	struct persist persist;
	struct explorer ex;
	struct explore_target target;
	uint64_t look_bytes; /* a walk looks at the beginning of the memory */
	bool (*is_right)(const uint64_t *words);
};

static uint64_t
walk_beginning(void *opaque, struct explorer *ex)
{
	const struct fixture *f = opaque;
	uint64_t hash = 0;

	explore_touch(ex, 0, f->look_bytes);
	for (uint64_t i = 0; i < f->look_bytes / 8; i++)
		hash = mix64(hash ^ ((uint64_t *)ex->persist->work)[i]) + i;
	return hash;
}

static bool
judge_by_words(void *opaque, struct explorer *ex, bool fresh)
{
	const struct fixture *f = opaque;

	(void)fresh;
	if (f->is_right && !f->is_right((uint64_t *)ex->persist->work))
		return explore_fail(ex, "wrong");
	return true;
}

static void
set_up(struct fixture *f, uint64_t look_bytes)
{
	memset(f, 0, sizeof *f);
	sim_pm_init(&f->sim, MEMORY_BYTES);
	f->look_bytes = look_bytes;
	f->target = (struct explore_target){.walk = walk_beginning, .judge = judge_by_words, .opaque = f};
	persist_init(&f->persist, f->sim.pm.base, MEMORY_BYTES);
	explorer_init(&f->ex, &f->persist, &f->target, unit_random());
	sim_thread = 0;
}

static void
tear_down(struct fixture *f)
{
	explorer_fini(&f->ex);
	persist_fini(&f->persist);
	sim_pm_fini(&f->sim);
}

static bool
run(struct fixture *f)
{
	struct replay replay = {.ex = &f->ex, .log = &f->sim.log};

	return replay_run(&replay) && explore_point(&f->ex);
}

static pm_slot *
slot(struct fixture *f, unsigned int word)
{
	return (pm_slot *)f->sim.pm.base + word;
}

static void
store(struct fixture *f, unsigned int word, uint64_t value)
{
	pm_store(&f->sim.pm, slot(f, word), value, (enum pm_site)SIM_SITE_TEST);
}

static void
flush(struct fixture *f, unsigned int word)
{
	pm_flush(&f->sim.pm, slot(f, word), 8, (enum pm_site)SIM_SITE_TEST);
}

static void
fence(struct fixture *f)
{
	pm_fence(&f->sim.pm, (enum pm_site)SIM_SITE_TEST);
}

static void
copy(struct fixture *f, unsigned int word, uint64_t value, unsigned int nr)
{
	uint64_t values[512];

	for (unsigned int i = 0; i < nr; i++)
		values[i] = value + i;
	pm_copy(&f->sim.pm, slot(f, word), values, 8 * nr, (enum pm_site)SIM_SITE_TEST);
}

/* ---- the images of the model ---- */

static void
a_line_survives_as_any_prefix_of_its_stores(void)
{
	struct fixture f;

	set_up(&f, 4096);
	for (unsigned int i = 0; i < 5; i++)
		store(&f, i, i + 1);
	CHECK(run(&f));
	CHECK_EQ(f.ex.nr_distinct, 6);
	tear_down(&f);
}

static void
lines_survive_independently(void)
{
	struct fixture f;

	set_up(&f, 4096);
	for (unsigned int i = 0; i < 3; i++) {
		store(&f, 8 * i, 1);
		store(&f, 8 * i + 1, 1);
	}
	CHECK(run(&f));
	CHECK_EQ(f.ex.nr_distinct, 27);
	tear_down(&f);
}

static void
pieces_of_a_copy_survive_independently(void)
{
	struct fixture f;

	set_up(&f, 4096);
	copy(&f, 0, 7, 10);
	CHECK(run(&f));
	CHECK_EQ(f.ex.nr_distinct, 1024);
	tear_down(&f);
}

static void
a_flushed_line_is_there_after_the_fence(void)
{
	struct fixture f;

	set_up(&f, 4096);
	store(&f, 0, 1);
	flush(&f, 0);
	fence(&f);
	CHECK(run(&f));
	CHECK_EQ(f.ex.nr_distinct, 2); /* before the fence: two; after it only the new one, which is no news */
	CHECK_EQ(((uint64_t *)f.persist.base)[0], 1);
	tear_down(&f);
}

static void
a_store_after_the_flush_is_not_covered_by_it(void)
{
	struct fixture f;

	set_up(&f, 4096);
	store(&f, 0, 1);
	flush(&f, 0);
	store(&f, 1, 1);
	fence(&f);
	CHECK(run(&f));
	CHECK_EQ(((uint64_t *)f.persist.base)[0], 1);
	CHECK_EQ(((uint64_t *)f.persist.base)[1], 0);
	CHECK_EQ(f.ex.nr_distinct, 3);
	tear_down(&f);
}

static void
a_fence_guarantees_nothing_of_another_thread(void)
{
	struct fixture f;

	set_up(&f, 4096);
	store(&f, 0, 1);
	flush(&f, 0);
	copy(&f, 8, 1, 1);
	sim_thread = 1;
	fence(&f);
	CHECK(run(&f));
	CHECK_EQ(((uint64_t *)f.persist.base)[0], 0);
	CHECK_EQ(((uint64_t *)f.persist.base)[8], 0);
	CHECK_EQ(f.ex.nr_distinct, 4);
	tear_down(&f);
}

static void
a_flush_covers_what_another_thread_stored(void)
{
	struct fixture f;

	set_up(&f, 4096);
	store(&f, 0, 1);
	sim_thread = 1;
	flush(&f, 0);
	fence(&f);
	CHECK(run(&f));
	CHECK_EQ(((uint64_t *)f.persist.base)[0], 1);
	tear_down(&f);
}

static void
the_last_survivor_of_a_word_is_what_is_there(void)
{
	struct fixture f;

	set_up(&f, 64);
	store(&f, 0, 1);
	copy(&f, 0, 2, 1);
	store(&f, 0, 3);
	CHECK(run(&f));
	CHECK_EQ(f.ex.nr_distinct, 4); /* 0, 1, 2, 3 */
	sim_log_clear(&f.sim.log);
	persist_reset(&f.persist, f.sim.pm.base);
	store(&f, 0, 4);
	copy(&f, 0, 5, 1);
	fence(&f); /* the copy is there: the store before it can no longer be seen */
	CHECK(run(&f));
	CHECK_EQ(((uint64_t *)f.persist.base)[0], 5);
	tear_down(&f);
}

static void
what_nobody_looks_at_makes_no_images(void)
{
	struct fixture f;

	set_up(&f, 64);
	copy(&f, 512, 1, 512);
	store(&f, 0, 1);
	store(&f, 1024, 1);
	CHECK(run(&f));
	CHECK_EQ(f.ex.nr_distinct, 2);
	tear_down(&f);
}

static void
too_many_combinations_are_sampled(void)
{
	struct fixture f;

	set_up(&f, 4096);
	copy(&f, 0, 1, 512);
	CHECK(run(&f));
	CHECK_EQ(f.ex.nr_sampled, 1);
	CHECK(f.ex.nr_distinct > 1000 && f.ex.nr_distinct <= EXPLORE_ALL);
	tear_down(&f);
}

/* ---- protocols ---- */

/*
 * Word 0 points (as a word number) to a record of 16 words that are all
 * alike; the walk follows the pointer only.
 */
static uint64_t
walk_record(void *opaque, struct explorer *ex)
{
	const uint64_t *words = (const uint64_t *)ex->persist->work;
	uint64_t hash = words[0];

	(void)opaque;
	explore_touch(ex, 0, 8);
	explore_touch(ex, 8 * words[0], 128);
	for (unsigned int i = 0; i < 16; i++)
		hash = mix64(hash + words[words[0] + i]);
	return hash;
}

static bool
record_is_whole(const uint64_t *words)
{
	for (unsigned int i = 1; i < 16; i++)
		if (words[words[0] + i] != words[words[0]])
			return false;
	return true;
}

enum bug { BUG_NONE, BUG_NO_FENCE, BUG_FENCE_BY_OTHER, BUG_PUBLISH_FIRST, BUG_IN_PLACE };

static bool
publish_a_record(enum bug bug)
{
	static const uint64_t record[16] = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
	unsigned int at = bug == BUG_IN_PLACE ? 64 : 512;
	struct fixture f;
	bool ok;

	set_up(&f, 0);
	((uint64_t *)f.sim.pm.base)[0] = 64;
	persist_reset(&f.persist, f.sim.pm.base);
	f.target.walk = walk_record;
	f.is_right = record_is_whole;
	if (bug == BUG_PUBLISH_FIRST) {
		store(&f, 0, at);
		flush(&f, 0);
	}
	pm_copy(&f.sim.pm, slot(&f, at), record, sizeof record, (enum pm_site)SIM_SITE_TEST);
	sim_thread = bug == BUG_FENCE_BY_OTHER;
	if (bug != BUG_NO_FENCE)
		fence(&f);
	if (bug != BUG_PUBLISH_FIRST) {
		store(&f, 0, at);
		flush(&f, 0);
		fence(&f);
	}
	ok = run(&f);
	tear_down(&f);
	return ok;
}

static void
a_record_written_fenced_and_published_is_always_whole(void)
{
	CHECK(publish_a_record(BUG_NONE));
}

static void
a_record_published_without_its_fence_is_caught(void)
{
	CHECK(!publish_a_record(BUG_NO_FENCE));
}

static void
a_record_fenced_by_another_thread_is_caught(void)
{
	CHECK(!publish_a_record(BUG_FENCE_BY_OTHER));
}

static void
a_record_published_before_it_is_written_is_caught(void)
{
	CHECK(!publish_a_record(BUG_PUBLISH_FIRST));
}

static void
a_record_changed_in_place_is_caught(void)
{
	CHECK(!publish_a_record(BUG_IN_PLACE));
}

/* Two words that should change as one: one line does not make them so. */
static bool
words_are_alike(const uint64_t *words)
{
	return words[0] == words[1];
}

static void
two_words_of_a_line_changed_as_one_are_caught(void)
{
	struct fixture f;

	set_up(&f, 4096);
	f.is_right = words_are_alike;
	store(&f, 0, 1);
	store(&f, 1, 1);
	flush(&f, 0);
	fence(&f);
	CHECK(!run(&f));
	tear_down(&f);
}

/* An acknowledgement before the fence is caught by whoever looks at it after that. */
static bool acknowledged;

static bool
mark_acknowledged(void *opaque, struct explorer *ex, const struct sim_event *event)
{
	(void)opaque;
	(void)ex;
	acknowledged = acknowledged || event->type == SIM_ACK;
	return true;
}

static bool
acknowledged_is_there(const uint64_t *words)
{
	return !acknowledged || words[0] == 1;
}

static bool
acknowledge(bool with_fence)
{
	struct fixture f;
	struct replay replay;
	bool ok;

	acknowledged = false;
	set_up(&f, 64);
	f.is_right = acknowledged_is_there;
	sim_begin(&f.sim, 0);
	store(&f, 0, 1);
	flush(&f, 0);
	if (with_fence)
		fence(&f);
	sim_ack(&f.sim, 0, 0);
	replay = (struct replay){.ex = &f.ex, .log = &f.sim.log, .mark = mark_acknowledged};
	ok = replay_run(&replay);
	tear_down(&f);
	return ok;
}

static void
an_acknowledgement_before_the_fence_is_caught(void)
{
	CHECK(acknowledge(true));
	CHECK(!acknowledge(false));
}

UNIT_MAIN(CASE(a_line_survives_as_any_prefix_of_its_stores), CASE(lines_survive_independently),
	  CASE(pieces_of_a_copy_survive_independently), CASE(a_flushed_line_is_there_after_the_fence),
	  CASE(a_store_after_the_flush_is_not_covered_by_it), CASE(a_fence_guarantees_nothing_of_another_thread),
	  CASE(a_flush_covers_what_another_thread_stored), CASE(the_last_survivor_of_a_word_is_what_is_there),
	  CASE(what_nobody_looks_at_makes_no_images), CASE(too_many_combinations_are_sampled),
	  CASE(a_record_written_fenced_and_published_is_always_whole),
	  CASE(a_record_published_without_its_fence_is_caught), CASE(a_record_fenced_by_another_thread_is_caught),
	  CASE(a_record_published_before_it_is_written_is_caught), CASE(a_record_changed_in_place_is_caught),
	  CASE(two_words_of_a_line_changed_as_one_are_caught), CASE(an_acknowledgement_before_the_fence_is_caught))
