/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/replay.h"

#include <stdio.h>
#include <string.h>

bool
replay_run(struct replay *replay)
{
	bool news = true; /* something happened since the last moment that was explored */

	for (replay->at = 0; replay->at < replay->log->nr; replay->at++) {
		const struct sim_event *event = &replay->log->events[replay->at];

		if (news && event->type >= SIM_FENCE) {
			if (!explore_point(replay->ex))
				return false;
			news = false;
		}
		persist_apply(replay->ex->persist, replay->log, event);
		if (event->type == SIM_STORE || event->type == SIM_COPY || event->type == SIM_LENGTH)
			news = true;
		if (event->type != SIM_BEGIN && event->type != SIM_ACK)
			continue;
		if (replay->mark && !replay->mark(replay->opaque, replay->ex, event))
			return false;
		/* What is acknowledged is judged more strictly from here on, even if nothing happens any more. */
		if (event->type == SIM_ACK && !explore_point(replay->ex))
			return false;
	}
	return true;
}

void
replay_context(const struct replay *replay, size_t nr, char *buf, size_t buf_bytes)
{
	size_t first = replay->at > nr ? replay->at - nr : 0, n = 0;

	buf[0] = '\0';
	for (size_t i = first; i <= replay->at && i < replay->log->nr && n < buf_bytes; i++) {
		char line[160];

		sim_event_text(&replay->log->events[i], line, sizeof line);
		n += (size_t)snprintf(buf + n, buf_bytes - n, "\t%s%s\n", i == replay->at ? "crash before: " : "",
				      line);
	}
}
