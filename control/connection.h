/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection to the control socket, as the server has it.
 */
#ifndef PRMEM_CONTROL_CONNECTION_H
#define PRMEM_CONTROL_CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "control/control.h"

/* A request has one line of at most this, its newline included. */
#define CONTROL_LINE_MAX 65536

/* A connection that asks for nothing is closed; so is one whose line does not come to its end. */
#define CONTROL_IDLE_MS 300000
#define CONTROL_LINE_MS 10000
/* Data may come from, or go to, a pipe that somebody has to feed. */
#define CONTROL_DATA_MS 3600000

struct connection {
	int fd;
	const struct control *pool; /* without io */
	const char *greeting;
	const atomic_bool *stop;
	void (*log)(const char *line);
	struct ucred peer;
};

/* connection_serve() - answer requests until it ends.  Does not close it. */
void connection_serve(const struct connection *connection);

/* connection_refuse() - say why there will be no service.  Does not wait. */
void connection_refuse(int fd, int code, const char *why);

#endif
