/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/mutant.h"

#include <string.h>

const char *
mutant_mode_name(enum mutant_mode mode)
{
	static const char *const names[] = {"skipped", "delayed", "swapped", "by the wrong thread"};

	return names[mode];
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

enum sim_event_type
mutant_kind(unsigned int site)
{
	const char *name = sim_site_name(site);

	return ends_with(name, "_COPY")	   ? SIM_COPY
	       : ends_with(name, "_FLUSH") ? SIM_FLUSH
	       : ends_with(name, "_FENCE") ? SIM_FENCE
					   : SIM_STORE;
}

bool
mutant_makes_sense(const struct mutant *mutant)
{
	switch (mutant_kind(mutant->site)) {
	case SIM_FLUSH:
	case SIM_FENCE:
		return true;
	case SIM_COPY:
		return mutant->mode == MUTANT_DELAY || mutant->mode == MUTANT_WRONG_THREAD;
	default:
		return mutant->mode == MUTANT_SWAP;
	}
}

static bool
is_mark(const struct sim_event *event)
{
	return event->type >= SIM_BEGIN;
}

/* Of what is removed or put right nothing has to be durable before: only what comes after counts. */
static bool
waits_for_nothing(unsigned int site)
{
	return site == PM_SITE_XA_ERASE_STORE || site == PM_SITE_XA_UNLINK_STORE || site == PM_SITE_FORMAT_MARK_STORE ||
	       site == PM_SITE_REPAIR_STORE;
}

/* Where in @log the store that comes next belongs if it is made before the fence in front of it. */
static size_t
before_last_fence(const struct sim_log *log, const struct sim_event *store)
{
	for (size_t i = log->nr; i-- > 0;) {
		const struct sim_event *event = &log->events[i];

		if (event->thread != store->thread) {
			/* Never across another thread's write to the same word. */
			if (event->off <= store->off && store->off < event->off + event->len_bytes)
				return log->nr;
			continue;
		}
		if (is_mark(event))
			return log->nr;
		if (event->type == SIM_FENCE)
			return i;
	}
	return log->nr;
}

static void
insert(struct sim_log *log, size_t at, const struct sim_event *event)
{
	sim_log_add(log, event);
	memmove(&log->events[at + 1], &log->events[at], (log->nr - 1 - at) * sizeof *event);
	log->events[at] = *event;
}

/* Events held back until something of the same thread has come by. */
struct held {
	struct sim_event event;
	enum sim_event_type until;
	bool until_any;
};

struct held_list {
	struct held held[256];
	size_t nr;
};

static void
hold(struct held_list *list, struct sim_log *out, const struct sim_event *event, enum sim_event_type until,
     bool until_any)
{
	if (list->nr == sizeof list->held / sizeof list->held[0]) {
		sim_log_add(out, event);
		return;
	}
	list->held[list->nr++] = (struct held){*event, until, until_any};
}

static void
release(struct held_list *list, struct sim_log *out, const struct sim_event *event)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->nr; i++) {
		const struct held *h = &list->held[i];

		if (h->event.thread == event->thread && (h->until_any ? !is_mark(event) : event->type == h->until))
			sim_log_add(out, &h->event);
		else
			list->held[kept++] = *h;
	}
	list->nr = kept;
}

static void
change(const struct mutant *mutant, const struct sim_event *event, struct sim_log *out, struct held_list *list)
{
	struct sim_event e = *event;
	bool is_fence = event->type == SIM_FENCE;
	size_t at;

	switch (mutant->mode) {
	case MUTANT_SKIP:
		break;
	case MUTANT_DELAY:
		hold(list, out, event, is_fence ? SIM_ACK : SIM_FENCE, false);
		break;
	case MUTANT_SWAP:
		if (event->type == SIM_STORE && waits_for_nothing(event->site)) {
			hold(list, out, event, SIM_FLUSH, false);
		} else if (event->type == SIM_STORE) {
			insert(out, before_last_fence(out, event), event);
		} else if (is_fence) {
			hold(list, out, event, SIM_STORE, true);
		} else {
			for (at = out->nr; at > 0 && out->events[at - 1].thread != event->thread;)
				at--;
			if (at > 0 && !is_mark(&out->events[at - 1]))
				at--;
			insert(out, at, event);
		}
		break;
	default:
		e.thread = SIM_THREAD_NOBODY;
		sim_log_add(out, &e);
		break;
	}
}

size_t
mutant_apply(const struct mutant *mutant, const struct sim_log *in, struct sim_log *out)
{
	struct held_list list = {.nr = 0};
	size_t nr_changed = 0;

	out->nr = 0;
	out->data = in->data;
	out->data_bytes = in->data_bytes;
	for (size_t i = 0; i < in->nr; i++) {
		const struct sim_event *event = &in->events[i];

		if (event->site == mutant->site && !is_mark(event)) {
			change(mutant, event, out, &list);
			nr_changed++;
			continue;
		}
		sim_log_add(out, event);
		release(&list, out, event);
	}
	return nr_changed;
}
