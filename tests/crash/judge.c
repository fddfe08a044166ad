/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "prmem/alloc/page_alloc.h"
#include "prmem/core/pool.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/reserve.h"
#include "prmem/object/buffer.h"

/* Of one recovery, for most of them: of many recoveries come many images. */
#define RECOVERY_IMAGES 300u

uint64_t
judge_walk(void *opaque, struct explorer *ex)
{
	struct session *session = opaque;

	session->media.quiet = false;
	session->media.secret = session->secret;
	media_walk(&session->media);
	return session->media.hash ^ ex->persist->pool_bytes * UINT64_C(0x9e3779b97f4a7c15);
}

static void
play_write(struct pm *pm, void *dst, const void *src, size_t len_bytes)
{
	play_user_write(CONTAINER_OF(pm, struct play_pm, pm), dst, src, len_bytes);
}

/* Is there something that the next open will repair? */
static bool
needs_repair(const struct media *media)
{
	if (!media->copies_alike || media->nr_removed > 0 || media->nr_replacing > 0)
		return true;
	for (uint32_t i = 0; i < media->nr_instances; i++) {
		const struct media_instance *inst = &media->instances[i];
		uint64_t size = le64_to_cpu(inst->rec->size_bytes);
		uint32_t last = inst->last_node;

		if (inst->nr_entries > 0)
			last = MAX(last, media->entries[inst->first_entry + inst->nr_entries - 1].idx);
		if (strcmp(inst->rec->subsystem, PRMEM_SUBSYSTEM_RAMDISK) == 0 && last > 0 &&
		    (uint64_t)last << 12 >= size)
			return true;
	}
	return false;
}

/* The pieces of the pool, as long as the crash left them. */
static struct views *
views_at(struct session *session, struct views *ret_views)
{
	if (!session->views)
		return NULL;
	*ret_views = *session->views;
	ret_views->pool_bytes = session->ex.persist->pool_bytes;
	ret_views->lengthened = NULL;
	return ret_views;
}

static bool
open_image(struct session *session, struct play_pm *play, enum prmem_format format, const char *what)
{
	struct prmem_error err;
	struct prmem_pool_info info;
	int r;

	session->again.user_write = play_write;
	session->again.views = views_at(session, &session->again_views);
	r = engine_open(&session->again, &play->pm, format, &err);
	/* What a format has not touched yet is still something else. */
	if (r == -EMEDIUMTYPE && session->foreign && !session->media.formatted)
		r = engine_open(&session->again, &play->pm, PRMEM_FORMAT_FORCE, &err);
	if (r < 0)
		return explore_fail(&session->ex, "%s fails: %s", what, err.message);
	prmem_pool_info(session->again.pool, &info, sizeof info);
	if (info.read_only || info.nr_damaged)
		return explore_fail(&session->ex, "%s: %s, %" PRIu64 " damaged: %s", what,
				    info.read_only ? "read-only" : "writable", info.nr_damaged, info.read_only_why);
	return true;
}

/* I6: the free pages are those that nothing reaches.  The image has been walked as it is now. */
static bool
free_pages_are_right(struct session *session, const char *when)
{
	struct prmem_pool_info info;

	/* Retired buffers may be all that keeps a page, so they come first. */
	if (buffers_reclaim(session->again.pool->buffers) < 0 || page_reclaim(session->again.pool->pages) < 0)
		return explore_fail(&session->ex, "%s: pages cannot be reclaimed", when);
	prmem_pool_info(session->again.pool, &info, sizeof info);
	if (info.nr_free + session->media.nr_reached == info.nr_pages)
		return true;
	return explore_fail(&session->ex, "I6: %s: %" PRIu64 " pages are free, %u are reached, there are %" PRIu64,
			    when, info.nr_free, session->media.nr_reached, info.nr_pages);
}

/* What all disks are promised is what the pool promised, and enough for each of them. */
static bool
promises_are_right(struct session *session, const char *when)
{
	const struct prmem_pool *pool = session->again.pool;
	struct prmem_pool_info info;
	uint64_t sum = 0;

	for (const struct prmem_instance *inst = pool->dir->first; inst != NULL; inst = inst->next) {
		uint64_t size_bytes = atomic_load(&inst->size_bytes), needed = instance_still_needed(inst, size_bytes);
		int64_t promised = atomic_load(&inst->promised);

		sum += (uint64_t)promised;
		if ((atomic_load(&inst->flags) & RECORD_FLAG_RESERVE) != 0 && (uint64_t)promised < needed)
			return explore_fail(&session->ex, "%s: %s is promised %" PRId64 " pages, and needs %" PRIu64,
					    when, inst->rec.name, promised, needed);
	}
	prmem_pool_info(session->again.pool, &info, sizeof info);
	return info.nr_reserved == sum ||
	       explore_fail(&session->ex, "%s: %" PRIu64 " pages are promised, to disks %" PRIu64, when,
			    info.nr_reserved, sum);
}

/* Walk the image as it is now, which the explorer has nothing to learn from, and compare it. */
static bool
compare_again(struct session *session, struct model *model, const char *when)
{
	session->media.quiet = true;
	media_walk(&session->media);
	if (session->media.wrong[0])
		return explore_fail(&session->ex, "%s: %s", when, session->media.wrong);
	return model_judge(model, &session->media) || explore_fail(&session->ex, "%s: %s", when, model->wrong);
}

static bool
twenty_more(struct session *session, uint64_t seed)
{
	for (unsigned int i = 0; i < SESSION_MORE_OPS; i++) {
		struct op op = generate_op(&session->after, &profile_short, &seed);
		const struct media *visible = NULL;
		bool ok = model_begin(&session->after, 0, &op);
		int64_t result = op_run(&session->again, &op);

		if (result < 0) {
			session->media.quiet = true;
			media_walk(&session->media);
			visible = &session->media;
		}
		if (!ok || !model_ack(&session->after, 0, result, visible)) {
			char text[200];

			op_text(&op, text, sizeof text);
			return explore_fail(&session->ex, "going on, operation %u, %s: answer %" PRId64 ": %s", i, text,
					    result, session->after.wrong);
		}
	}
	return true;
}

/* The image of which a copy is in sim is opened once more, and every crash in that is explored. */
static bool
explore_recovery(struct session *session, const uint8_t *image)
{
	struct session *r = session->recovery;
	struct prmem_error err;
	int e;

	if (!r) {
		r = session_bare(session->seed, session->media.nr_pages, session->contents);
		r->depth = session->depth + 1;
		r->ex.seen = session->ex.seen;
		r->ex.nr_judged = session->ex.nr_judged;
		session->recovery = r;
	}
	r->foreign = session->foreign;
	r->secret = session->secret;
	r->views = session->views;
	r->engine.views = views_at(session, &r->own_views);
	r->start_pool_bytes = session->ex.persist->pool_bytes;
	r->ex.max_judged = session->ex.max_judged;
	r->ex.budget = session->ex.budget;
	/* There are as many recoveries as images: most of them with fewer combinations, some with all. */
	if (explore_random(&session->ex) % 64 != 0) {
		uint64_t limit = *r->ex.nr_judged + RECOVERY_IMAGES;

		r->ex.budget = MIN(r->ex.budget, 96);
		r->ex.max_judged = r->ex.max_judged ? MIN(r->ex.max_judged, limit) : limit;
	}
	r->why[0] = '\0';
	for (uint64_t off = 0; off < r->sim.pm.len_bytes; off += 4096)
		if (memcmp((char *)r->sim.pm.base + off, image + off, 4096) != 0)
			memcpy((char *)r->sim.pm.base + off, image + off, 4096);
	sim_log_clear(&r->sim.log);
	r->sim.recording = true;
	e = engine_open(&r->engine, &r->sim.pm, PRMEM_FORMAT_AUTO, &err);
	if (e == -EMEDIUMTYPE && session->foreign)
		e = engine_open(&r->engine, &r->sim.pm, PRMEM_FORMAT_FORCE, &err);
	if (e < 0)
		return explore_fail(&session->ex, "recovery fails: %s", err.message);
	r->sim.recording = false;
	engine_close(&r->engine);
	persist_reset(&r->persist, image);
	r->persist.pool_bytes = r->start_pool_bytes;
	model_copy(&r->model, &session->after);
	if (session_replay(r, &r->sim.log))
		return true;
	return explore_fail(&session->ex, "a crash during recovery (depth %u): %s", r->depth, r->why);
}

static int
count_listed(void *opaque, const struct prmem_instance_info *info)
{
	uint32_t *nr = opaque;

	(void)info;
	++*nr;
	return 0;
}

/* Who may not change anything sees what the next writable open will leave, and leaves it to that. */
static bool
reads_without_change(struct session *session, struct play_pm *play)
{
	struct prmem_error err;
	struct prmem_pool_info info;
	uint32_t nr = 0, nr_there = session->media.nr_instances - session->media.nr_removed;
	int r;

	session->again.user_write = play_write;
	session->again.views = views_at(session, &session->again_views);
	r = engine_open_read_only(&session->again, &play->pm, &err);
	if (r < 0)
		return explore_fail(&session->ex, "a read-only open fails: %s", err.message);
	prmem_pool_info(session->again.pool, &info, sizeof info);
	prmem_list(session->again.pool, NULL, count_listed, &nr);
	engine_close(&session->again);
	if (info.nr_damaged || play->nr_changes > 0)
		return explore_fail(&session->ex, "a read-only open finds %" PRIu64 " damaged and changes %" PRIu64,
				    info.nr_damaged, play->nr_changes);
	return nr == nr_there ||
	       explore_fail(&session->ex, "a read-only open shows %u instances, and there are %u", nr, nr_there);
}

static bool
go_on(struct session *session)
{
	struct explorer *ex = &session->ex;
	bool repair = needs_repair(&session->media), formatted = session->media.formatted;
	uint64_t hash = session->media.hash;
	struct play_pm play;
	bool ok;

	session->nr_recoveries += repair;
	play_pm_init(&play, ex);
	model_settle(&session->after, &session->model, &session->media, true);
	if (session->media.nr_removed > 0 && !reads_without_change(session, &play))
		return false;
	if (!open_image(session, &play, formatted ? PRMEM_FORMAT_NEVER : PRMEM_FORMAT_AUTO, "the first open"))
		return false;
	if ((play.nr_changes > 0) != repair)
		return explore_fail(ex, repair ? "the first open repairs nothing"
					       : "the first open changes something, and nothing was to be repaired");
	if (repair) {
		session->after.may_be_unformatted = false;
		if (!compare_again(session, &session->after, "after the first open"))
			return false;
	}
	if (!free_pages_are_right(session, "after the first open") ||
	    !promises_are_right(session, "after the first open"))
		return false;
	engine_close(&session->again);

	/* What goes on may copy and free what was to be wiped. */
	session->media.secret = NULL;
	play.nr_changes = 0;
	if (!open_image(session, &play, PRMEM_FORMAT_NEVER, "the second open"))
		return false;
	if (play.nr_changes > 0)
		return explore_fail(ex, "the second open changes something");
	ok = twenty_more(session, hash) && compare_again(session, &session->after, "after going on") &&
	     free_pages_are_right(session, "after going on") && promises_are_right(session, "after going on");
	engine_close(&session->again);
	if (!ok || !repair || session->depth == SESSION_MAX_DEPTH)
		return ok;

	/* Back to what the crash left, for what it held. */
	explore_restore(ex);
	media_walk(&session->media);
	model_settle(&session->after, &session->model, &session->media, false);
	return explore_recovery(session, session->persist.work);
}

bool
judge_image(void *opaque, struct explorer *ex, bool fresh)
{
	struct session *session = opaque;
	int32_t nr_contents;
	bool ok;

	if (session->media.wrong[0])
		return explore_fail(ex, "%s", session->media.wrong);
	if (!model_judge(&session->model, &session->media))
		return explore_fail(ex, "%s", session->model.wrong);
	if (!fresh)
		return true;
	nr_contents = session->contents->nr;
	ok = go_on(session);
	contents_forget(session->contents, nr_contents);
	return ok;
}
