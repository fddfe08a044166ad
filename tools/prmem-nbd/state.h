/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What monitors leave in /run/prmem for the other verbs to see:
 *
 *   nbdN.json   what is attached as /dev/nbdN
 *   nbdN.lock   held (flock) by the monitor of /dev/nbdN as long as it lives
 *   attach.lock held while a device is being attached or detached
 */
#ifndef PRMEM_NBD_STATE_H
#define PRMEM_NBD_STATE_H

#include <stdint.h>
#include <sys/types.h>

#include "tools/prmem-nbd/say.h"

#define STATES_MAX 1024

struct state {
	int index;
	pid_t pid; /* of the monitor */
	char *uri;
	char *export_name;
	char *identifier;
	uint64_t size_bytes;
	uint32_t block_bytes;
	uint32_t nr_connections;
	uint32_t nr_live; /* connections the monitor knows to be alive */
	uint32_t timeout_s;
	uint32_t reattach_timeout_s;
	uint64_t nr_reattached; /* how often, since the monitor started */
	int64_t since_s; /* when the device was attached; seconds since 1970 */
	bool read_only;
};

/* state_dir() - /run/prmem, or $PRMEM_NBD_RUNDIR for tests. */
const char *state_dir(void);

/* state_lock_all() - take attach.lock, waiting for it. Return: a descriptor to close, or a negative errno. */
int state_lock_all(struct why *why);

/*
 * state_lock_device() - become the monitor of a device.
 * Return: a descriptor to keep open; -EBUSY and *ret_pid when another process
 *   is; or what the system said.
 */
int state_lock_device(int index, pid_t *ret_pid, struct why *why);

/* state_monitor() - PID of the monitor of a device, or 0. */
pid_t state_monitor(int index);

/* state_write() - replace nbdN.json. */
int state_write(const struct state *state, struct why *why);

/* state_read() - Return: 0 and *ret_state, to be freed with state_free(); -ENOENT, -EINVAL (not ours), ... */
int state_read(int index, struct state *ret_state, struct why *why);

void state_remove(int index);
void state_free(struct state *state);

/* state_list() - indices that have a file, ascending. Return: how many, or a negative errno. */
int state_list(int *indices, unsigned int nr_max);

/* state_find_uri() - the device whose disk is served at this address. Return: its index, or -ENOENT. */
int state_find_uri(const char *uri);

#endif
