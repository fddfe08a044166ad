/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking the server that has a pool.
 */
#ifndef PRMEM_CONTROL_CLIENT_H
#define PRMEM_CONTROL_CLIENT_H

#include <signal.h>

#include "control/control.h"

struct control_client;

/*
 * control_connect() - find the server that has a pool, and connect to it.
 * @interrupted: looked at now and then: a server may take its time to greet
 * Return: 0 and *ret_client; -ENOENT when no server with a control socket has
 *   it; -EACCES when there is one that may not be asked; -ECANCELED when it
 *   was interrupted; or what the system said.
 */
int control_connect(const char *pool_path, const volatile sig_atomic_t *interrupted, struct control_client **ret_client,
		    struct prmem_error *err);

/* control_disconnect() - NULL is allowed. */
void control_disconnect(struct control_client *client);

/*
 * control_ask() - have a request answered.
 * @io: where data, and how far it is, go to and come from
 * Once it is interrupted the server is told to stop, and the answer is what
 * that led to.
 * Return: 0 and *ret_answer, to be put; a negative errno when the connection
 *   failed.
 */
int control_ask(struct control_client *client, struct json_object *request, const struct control_io *io,
		struct json_object **ret_answer);

#endif
