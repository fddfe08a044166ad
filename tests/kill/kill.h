/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes that are killed at random moments, and what must be there after.
 */
#ifndef PRMEM_TESTS_KILL_H
#define PRMEM_TESTS_KILL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct kill_test {
	char dir[64];
	const char *plugin;
	uint64_t nr_kills;
};

/* One line to standard error, and the end: the directory is removed. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* kill_after() - let a process live for a time, kill it, wait for it.  Return: its status. */
int kill_after(struct kill_test *t, pid_t pid, uint64_t us);

/*
 * load_cycle() - verify all pages, write from several connections, kill.
 * @early: kill while it starts instead.
 */
void load_cycle(struct kill_test *t, bool early);
uint64_t load_nr_acked(void);

/* start_server() - nbdkit with the plugin; @ret_socket is where it listens. */
pid_t start_server(struct kill_test *t, char *const params[], char *ret_socket, size_t socket_bytes);

/* format_cycle() - kill while a new pool is formatted and its disks are made; start again. */
void format_cycle(struct kill_test *t);

/* manage_cycle() - kill in the middle of create, resize, rename, remove, grow; look. */
void manage_cycle(struct kill_test *t);

#endif
