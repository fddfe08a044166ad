/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/judge.h"

static void *
must(void *p)
{
	if (!p)
		abort();
	return p;
}

static bool PRINTF_LIKE(2, 3) fail(struct session *session, const char *fmt, ...)
{
	va_list ap;

	if (session->why[0])
		return false;
	va_start(ap, fmt);
	vsnprintf(session->why, sizeof session->why, fmt, ap);
	va_end(ap);
	return false;
}

static void
sim_write(struct pm *pm, void *dst, const void *src, size_t len_bytes)
{
	sim_user_write(CONTAINER_OF(pm, struct sim_pm, pm), dst, src, len_bytes);
}

struct session *
session_bare(uint64_t seed, uint32_t nr_pages, struct contents *contents)
{
	struct session *session = must(calloc(1, sizeof *session));
	uint64_t len_bytes = 4096 * (uint64_t)nr_pages;

	session->seed = seed;
	if (contents) {
		session->contents = contents;
	} else {
		contents_init(&session->own_contents);
		session->contents = &session->own_contents;
	}
	sim_pm_init(&session->sim, len_bytes);
	session->sim.recording = false;
	session->engine.pm = &session->sim.pm;
	session->engine.user_write = sim_write;
	session->start = must(malloc(len_bytes));
	persist_init(&session->persist, session->sim.pm.base, len_bytes);
	session->target = (struct explore_target){judge_walk, judge_image, session};
	explorer_init(&session->ex, &session->persist, &session->target, seed);
	session->media.ex = &session->ex;
	session->media.image = session->persist.work;
	session->media.nr_pages = nr_pages;
	session->media.contents = session->contents;
	session->visible.image = session->persist.visible;
	session->visible.nr_pages = nr_pages;
	session->visible.contents = session->contents;
	return session;
}

struct session *
session_new(uint64_t seed, uint32_t nr_pages, const uint32_t *idx, uint32_t nr_idx, const struct profile *profile)
{
	struct session *session = session_bare(seed, nr_pages, NULL);
	struct prmem_error err;

	session->profile = *profile;
	model_init(&session->now, session->contents, idx, nr_idx);
	if (engine_open(&session->engine, &session->sim.pm, PRMEM_FORMAT_AUTO, &err) < 0)
		fail(session, "a blank memory is not formatted: %s", err.message);
	return session;
}

static void
lengthened(struct pm *whole, uint64_t pool_bytes)
{
	sim_length(CONTAINER_OF(whole, struct sim_pm, pm), pool_bytes);
}

struct session *
session_new_views(uint64_t seed, uint32_t nr_pages, uint32_t nr_pages_whole, const char *region_path,
		  const uint32_t *idx, uint32_t nr_idx, const struct profile *profile)
{
	struct session *session = session_bare(seed, nr_pages_whole, NULL);
	struct prmem_error err;

	session->profile = *profile;
	session->views = session->engine.views = &session->own_views;
	session->own_views.pool_bytes = session->own_views.region_off = 4096 * (uint64_t)nr_pages;
	session->own_views.lengthened = lengthened;
	snprintf(session->own_views.region_path, sizeof session->own_views.region_path, "%s", region_path);
	model_init(&session->now, session->contents, idx, nr_idx);
	if (engine_open(&session->engine, &session->sim.pm, PRMEM_FORMAT_AUTO, &err) < 0)
		fail(session, "a blank memory is not formatted: %s", err.message);
	session->now.nr_pages_min = session->now.nr_pages_max = nr_pages;
	return session;
}

struct session *
session_new_on(uint64_t seed, const void *memory, uint32_t nr_pages, const uint32_t *idx, uint32_t nr_idx,
	       const struct profile *profile)
{
	struct session *session = session_bare(seed, nr_pages, NULL);

	session->profile = *profile;
	model_init(&session->now, session->contents, idx, nr_idx);
	session->now.may_be_unformatted = true;
	memcpy(session->sim.pm.base, memory, 4096 * (size_t)nr_pages);
	return session;
}

void
session_delete(struct session *session)
{
	if (!session)
		return;
	if (session->engine.pool)
		engine_close(&session->engine);
	session_delete(session->recovery);
	explorer_fini(&session->ex);
	persist_fini(&session->persist);
	sim_pm_fini(&session->sim);
	free(session->start);
	free(session->broken.events);
	if (session->contents == &session->own_contents)
		contents_free(&session->own_contents);
	free(session);
}

struct op
session_random_op(struct session *session)
{
	return generate_op(&session->now, &session->profile, &session->seed);
}

static bool
bad_result(struct session *session, const struct op *op, int64_t result)
{
	char text[200];

	op_text(op, text, sizeof text);
	return fail(session, "%s: answer %" PRId64 ": %s", text, result, session->now.wrong);
}

const struct media *
session_look(struct session *session)
{
	session->in_memory.image = session->sim.pm.base;
	session->in_memory.nr_pages = session->visible.nr_pages;
	session->in_memory.contents = session->contents;
	media_walk(&session->in_memory);
	return &session->in_memory;
}

/*
 * Run an operation on the memory that the program works on.  One that
 * failed may have been done in part; what is seen of it is durable, too.
 */
static bool
do_now(struct session *session, const struct op *op, int64_t (*run)(struct session *session, const struct op *op))
{
	const struct media *visible = NULL;
	int64_t result;

	if (!model_begin(&session->now, 0, op))
		return bad_result(session, op, 0);
	result = run(session, op);
	if (result < 0)
		visible = session_look(session);
	return model_ack(&session->now, 0, result, visible) || bad_result(session, op, result);
}

static int64_t
run_unrecorded(struct session *session, const struct op *op)
{
	return op_run(&session->engine, op);
}

bool
session_do(struct session *session, const struct op *op)
{
	return session->why[0] == '\0' && do_now(session, op, run_unrecorded);
}

/* Copy what differs; most pages do not. */
static void
copy_pages(uint8_t *dst, const uint8_t *src, uint64_t len_bytes)
{
	for (uint64_t off = 0; off < len_bytes; off += 4096)
		if (memcmp(dst + off, src + off, 4096) != 0)
			memcpy(dst + off, src + off, 4096);
}

void
session_rewind(struct session *session)
{
	struct prmem_error err;

	if (session->engine.pool)
		engine_close(&session->engine);
	copy_pages(session->sim.pm.base, session->start, session->sim.pm.len_bytes);
	if (engine_open(&session->engine, &session->sim.pm, PRMEM_FORMAT_NEVER, &err) < 0)
		fail(session, "the pool cannot be opened again: %s", err.message);
	sim_log_clear(&session->sim.log);
	session->nr_ops = 0;
	model_copy(&session->model, &session->now);
	session->model.nr_acked = 0;
}

void
session_record_start(struct session *session)
{
	copy_pages(session->start, session->sim.pm.base, session->sim.pm.len_bytes);
	sim_log_clear(&session->sim.log);
	session->start_pool_bytes = session->own_views.pool_bytes;
	session->nr_ops = 0;
	session->threads = false;
	model_copy(&session->model, &session->now);
	session->model.nr_acked = 0;
}

static uint32_t
add_op(struct session *session, const struct op *op)
{
	if (session->nr_ops == SESSION_MAX_OPS)
		abort();
	session->ops[session->nr_ops] = *op;
	return session->nr_ops++;
}

static int64_t
run_recorded(struct session *session, uint32_t number)
{
	int64_t result;

	sim_begin(&session->sim, number);
	result = op_run(&session->engine, &session->ops[number]);
	sim_ack(&session->sim, number, result);
	return result;
}

static int64_t
run_added(struct session *session, const struct op *op)
{
	int64_t result;

	session->sim.recording = true;
	result = run_recorded(session, (uint32_t)(op - session->ops));
	session->sim.recording = false;
	return result;
}

bool
session_record(struct session *session, const struct op *op)
{
	uint32_t number;

	if (session->why[0])
		return false;
	number = add_op(session, op);
	if (session->engine.pool)
		engine_handles(&session->engine, op);
	return do_now(session, &session->ops[number], run_added);
}

struct thread_work {
	struct session *session;
	uint32_t first[SCHED_MAX_THREADS + 1];
};

static void
run_thread(void *opaque, unsigned int thread)
{
	struct thread_work *work = opaque;

	for (uint32_t i = work->first[thread]; i < work->first[thread + 1]; i++)
		run_recorded(work->session, i);
}

bool
session_record_threads(struct session *session, const struct op *ops, const uint32_t *nr_ops, unsigned int nr_threads,
		       const struct schedule *schedule, struct sched_trace *ret_trace)
{
	struct thread_work work = {.session = session};

	if (session->why[0])
		return false;
	session->threads = true;
	for (unsigned int t = 0; t < nr_threads; t++) {
		work.first[t] = session->nr_ops;
		for (uint32_t i = 0; i < nr_ops[t]; i++, ops++) {
			add_op(session, ops);
			engine_handles(&session->engine, ops);
		}
		work.first[t + 1] = session->nr_ops;
	}
	session->sim.recording = true;
	session->engine.shared = true;
	sched_run(schedule, nr_threads, run_thread, &work, ret_trace);
	session->engine.shared = false;
	session->sim.recording = false;
	return true;
}

/* ---- exploring what was recorded ---- */

static bool
mark(void *opaque, struct explorer *ex, const struct sim_event *event)
{
	struct session *session = opaque;
	const struct op *op = &session->ops[event->value];
	const struct media *visible = NULL;

	if (event->type == SIM_BEGIN)
		return model_begin(&session->model, event->thread, op) || explore_fail(ex, "%s", session->model.wrong);
	if (session->threads || event->result < 0) {
		media_walk(&session->visible);
		if (session->visible.wrong[0])
			return explore_fail(ex, "in the program's own sight: %s", session->visible.wrong);
		visible = &session->visible;
	}
	if (!model_ack(&session->model, event->thread, event->result, visible))
		return explore_fail(ex, "answer %" PRId64 ": %s", event->result, session->model.wrong);
	return true;
}

static bool
explain(struct session *session, const struct replay *replay)
{
	char context[1400], text[200] = "before the first operation";

	for (size_t i = replay->at + 1; i-- > 0;) {
		if (i >= replay->log->nr || session->nr_ops == 0 ||
		    (replay->log->events[i].type != SIM_BEGIN && replay->log->events[i].type != SIM_ACK))
			continue;
		op_text(&session->ops[replay->log->events[i].value], text, sizeof text);
		break;
	}
	replay_context(replay, 14, context, sizeof context);
	return fail(session, "%s\n\tlast begun or acknowledged: %s\n%s", session->ex.why, text, context);
}

bool
session_replay(struct session *session, const struct sim_log *log)
{
	struct replay replay = {.ex = &session->ex, .log = log, .mark = mark, .opaque = session};

	session->ex.failed = false;
	session->ex.why[0] = '\0';
	if (!replay_run(&replay) || !explore_point(&session->ex))
		return explain(session, &replay);
	return true;
}

bool
session_explore(struct session *session, const struct mutant *mutant)
{
	const struct sim_log *log = &session->sim.log;

	if (session->why[0])
		return false;
	if (mutant) {
		size_t nr = mutant_apply(mutant, log, &session->broken);

		/* The program does not come by the site here: this is not broken. */
		if (nr == 0)
			return true;
		session->nr_events_broken += nr;
		log = &session->broken;
	}
	persist_reset(&session->persist, session->start);
	session->persist.pool_bytes = session->start_pool_bytes;
	if (!session_replay(session, log))
		return false;
	if (!mutant && memcmp(session->persist.visible, session->sim.pm.base, session->sim.pm.len_bytes) != 0) {
		uint64_t off = 0;

		while (session->persist.visible[off] == ((uint8_t *)session->sim.pm.base)[off])
			off++;
		return fail(session, "page %" PRIu64 "+0x%" PRIx64 " was changed past common/pm.h", off >> 12,
			    off & 4095);
	}
	return true;
}
