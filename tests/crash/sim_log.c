/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/sim_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SITE_NAME(name, what) #name,
static const char *const site_names[] = {PM_SITES(SITE_NAME) "USER", "TEST"};
#undef SITE_NAME

void
sim_log_add(struct sim_log *log, const struct sim_event *event)
{
	if (log->nr == log->room) {
		log->room = log->room ? 2 * log->room : 256;
		log->events = realloc(log->events, log->room * sizeof *log->events);
		if (!log->events)
			abort();
	}
	log->events[log->nr++] = *event;
}

uint64_t
sim_log_add_data(struct sim_log *log, const void *src, size_t len_bytes)
{
	uint64_t at = log->data_bytes;

	while (log->data_bytes + len_bytes > log->data_room) {
		log->data_room = log->data_room ? 2 * log->data_room : 65536;
		log->data = realloc(log->data, log->data_room);
		if (!log->data)
			abort();
	}
	memcpy(log->data + at, src, len_bytes);
	log->data_bytes += len_bytes;
	return at;
}

void
sim_log_clear(struct sim_log *log)
{
	log->nr = 0;
	log->data_bytes = 0;
}

void
sim_log_free(struct sim_log *log)
{
	free(log->events);
	free(log->data);
	memset(log, 0, sizeof *log);
}

const char *
sim_site_name(unsigned int site)
{
	return site < SIM_NR_SITES ? site_names[site] : "?";
}

void
sim_event_text(const struct sim_event *event, char *buf, size_t buf_bytes)
{
	static const char *const what[] = {"store", "copy", "flush", "fence", "begin", "ack", "length"};

	switch (event->type) {
	case SIM_BEGIN:
		snprintf(buf, buf_bytes, "T%u begin of operation %" PRIu64, event->thread, event->value);
		break;
	case SIM_ACK:
		snprintf(buf, buf_bytes, "T%u ack of operation %" PRIu64 ", result %" PRId64, event->thread,
			 event->value, event->result);
		break;
	case SIM_FENCE:
		snprintf(buf, buf_bytes, "T%u fence %s", event->thread, sim_site_name(event->site));
		break;
	case SIM_STORE:
		snprintf(buf, buf_bytes, "T%u store %s page %" PRIu64 "+0x%03" PRIx64 " = 0x%016" PRIx64, event->thread,
			 sim_site_name(event->site), event->off >> 12, event->off & 4095, event->value);
		break;
	default:
		snprintf(buf, buf_bytes, "T%u %s %s page %" PRIu64 "+0x%03" PRIx64 ", %u bytes", event->thread,
			 what[event->type], sim_site_name(event->site), event->off >> 12, event->off & 4095,
			 event->len_bytes);
	}
}
