/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket of a program that serves a pool.
 *
 * A Unix socket that only this user and root can use.  One line of JSON is a
 * request, one line of JSON is its answer; prmemctl(8) has the protocol.
 * Whatever comes over it costs a bounded amount of memory and no lock that a
 * request for data needs: it has threads of its own, few of them, and nothing
 * is sent while the engine waits.
 */
#ifndef PRMEM_CONTROL_SERVER_H
#define PRMEM_CONTROL_SERVER_H

#include <prmem.h>

struct control_server;

struct control_server_args {
	struct prmem_pool *pool;
	const char *path; /* of the pool */
	/* What was asked for and done, one line, or NULL. */
	void (*log)(const char *line);
};

/*
 * control_server_start() - listen and answer, until it is stopped.
 * Context: after the last fork; the threads it starts take no signals but
 *   those of their own faults.
 * Return: 0 and *ret_server; -EADDRINUSE (a server of the same pool, or of a
 *   copy of it, listens there), or what the system said.
 */
int control_server_start(const struct control_server_args *args, struct control_server **ret_server,
			 struct prmem_error *err);

/*
 * control_server_stop() - end all connections, interrupt what they do, wait
 * for their threads, remove the socket.  NULL is allowed.
 */
void control_server_stop(struct control_server *server);

/* control_server_address() - the path of the socket. */
const char *control_server_address(const struct control_server *server);

#endif
