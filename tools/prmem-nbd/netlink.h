/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's nbd driver, spoken to by generic netlink (<linux/nbd-netlink.h>).
 */
#ifndef PRMEM_NBD_NETLINK_H
#define PRMEM_NBD_NETLINK_H

#include <stdint.h>

#include "tools/prmem-nbd/say.h"

struct nl_sock;

struct netlink {
	struct nl_sock *command; /* kept open as long as the device is looked after */
	struct nl_sock *events;
	int family;
};

struct netlink_connect {
	int index; /* of /dev/nbdN, or -1: any that is free */
	uint64_t size_bytes;
	uint64_t block_bytes;
	uint64_t server_flags;
	uint64_t timeout_s; /* after which an unanswered request is sent again */
	uint64_t dead_timeout_s; /* how long requests wait when no connection is left */
	const char *identifier;
	const int *fds;
	unsigned int nr_fds;
};

/*
 * netlink_open() - find the driver, loading its module where it is missing, and
 * subscribe to its news.
 * Return: 0; -ENOENT (no such driver), -EPERM, or what the system said.
 */
int netlink_open(struct netlink *nl, struct why *why);

void netlink_close(struct netlink *nl);

/*
 * netlink_connect() - make a block device of negotiated connections.
 * Return: 0 and *ret_index; -EBUSY (the device is in use), -EPERM, ...
 */
int netlink_connect(struct netlink *nl, const struct netlink_connect *args, int *ret_index, struct why *why);

/*
 * netlink_reconfigure() - hand the kernel fresh connections for those that
 * died, and a new size.
 * @size_bytes: 0 to leave it
 * The kernel takes as many as it knows dead ones; it does not say how many.
 * Return: 0; -EINVAL when the device is not connected or has another identifier.
 */
int netlink_reconfigure(struct netlink *nl, int index, const char *identifier, uint64_t size_bytes, const int *fds,
			unsigned int nr_fds, struct why *why);

/* netlink_disconnect() - end a device; what waits in it fails. */
int netlink_disconnect(struct netlink *nl, int index, struct why *why);

/* netlink_event_fd() - readable when there are news. */
int netlink_event_fd(const struct netlink *nl);

/*
 * netlink_link_died() - read the news that have come.
 * Return: whether a connection of device @index died, or news may have been lost.
 */
bool netlink_link_died(struct netlink *nl, int index);

#endif
