/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a program did to persistent memory, in the order in which it happened:
 * stores, copies, flushes and fences with the thread that made them and the
 * site they have in the source, and the moments at which an operation of the
 * test began and was acknowledged.
 *
 * A log is recorded first (sim_pm.h), perhaps broken on purpose (mutant.h),
 * and only then replayed to learn what a power failure could have left
 * (persist.h).  Breaking the log is the same as breaking the program: nothing
 * that a flush or a fence does can be seen by the running program.
 */
#ifndef PRMEM_TESTS_SIM_LOG_H
#define PRMEM_TESTS_SIM_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/pm.h"

/* Sites that are the tests' own; behind those of common/pm_sites.h. */
enum sim_site {
	SIM_SITE_USER = PM_NR_SITES, /* a caller writes into its own object */
	SIM_SITE_TEST, /* anything else a test does */
	SIM_NR_SITES,
};

#define SIM_NR_THREADS 4u /* ids of threads that exist */
#define SIM_THREAD_NOBODY 31u /* a thread that never fences: for mutants */

enum sim_event_type {
	SIM_STORE, /* 8 bytes, ordinary */
	SIM_COPY, /* non-temporal; the bytes are in the log's data */
	SIM_FLUSH,
	SIM_FENCE,
	SIM_BEGIN, /* value: number of the operation */
	SIM_ACK, /* value: number of the operation */
	SIM_LENGTH, /* value: the pool's file is so long now, durably */
};

struct sim_event {
	uint8_t type;
	uint8_t thread;
	uint16_t site;
	uint32_t len_bytes;
	uint64_t off;
	uint64_t value; /* of a store; of a copy: where in data; of a mark: the operation */
	int64_t result; /* of an acknowledgement */
};

struct sim_log {
	struct sim_event *events;
	size_t nr;
	size_t room;
	uint8_t *data;
	size_t data_bytes;
	size_t data_room;
};

void sim_log_add(struct sim_log *log, const struct sim_event *event);

/* Keep @len_bytes of content.  Return: where in log->data they are. */
uint64_t sim_log_add_data(struct sim_log *log, const void *src, size_t len_bytes);

/* Forget all; memory is kept for the next log. */
void sim_log_clear(struct sim_log *log);
void sim_log_free(struct sim_log *log);

const char *sim_site_name(unsigned int site);

/* One line about an event, for people. */
void sim_event_text(const struct sim_event *event, char *buf, size_t buf_bytes);

#endif
