/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One attached device and the process that looks after it.
 *
 * The kernel owns the connections; the monitor keeps a descriptor of each as
 * well, which tells it two things the kernel does not say: whether the peer
 * has hung up, and (by the send timeout the kernel sets on a socket that it
 * takes) whether the kernel has taken it.  So the monitor works by level: as
 * long as fewer connections live than the device should have, it negotiates
 * fresh ones and offers them.
 */
#ifndef PRMEM_NBD_SESSION_H
#define PRMEM_NBD_SESSION_H

#include "tools/prmem-nbd/handshake.h"
#include "tools/prmem-nbd/netlink.h"
#include "tools/prmem-nbd/state.h"

#define CONNECTIONS_MAX 64u
#define HANDSHAKE_TIMEOUT_MS 10000

struct link {
	int fd; /* our copy of what the kernel has */
	uint64_t size_bytes; /* of the disk, when this connection was made */
};

struct session {
	struct netlink nl;
	struct target target;
	struct state state;
	struct link links[CONNECTIONS_MAX];
	unsigned int nr_links;
	/* Connections that an earlier monitor made: they live as far as is known. */
	unsigned int nr_unknown;
	unsigned int check_interval_s;
	int lock_fd;
};

struct attach_args {
	const char *where;
	const char *export_name; /* or NULL */
	int index; /* or -1 */
	unsigned int nr_connections; /* 0: choose */
	unsigned int timeout_s;
	unsigned int reattach_timeout_s;
	unsigned int check_interval_s;
	uint32_t block_bytes; /* 0: choose */
	bool read_only;
	bool foreground;
};

/* identity() - what the kernel is to know the disk by. Return: a new string or NULL. */
char *identity(const struct target *target, const struct export_info *info);

/* links_open() - negotiate @nr connections. Return: how many there are then in @links, or a negative errno if none. */
int links_open(const struct target *target, const char *identifier, unsigned int nr, struct link *links,
	       struct export_info *ret_info, struct why *why);

/* links_prune() - let go of connections whose peer has hung up. Return: how many. */
unsigned int links_prune(struct session *s);

/*
 * links_offer() - make up to @nr fresh connections and offer them to the kernel.
 * Return: how many it took; -EINVAL when the device is not attached any more;
 *   -ESTALE when another disk answers at the address; or what went wrong.
 */
int links_offer(struct session *s, unsigned int nr, struct why *why);

/* links_size() - the size that every connection can serve; 0 when it is not known. */
uint64_t links_size(const struct session *s);

/*
 * links_renew() - end connections that were made before the disk grew.
 * Waits a moment for the device to be idle: a request that is on its way then
 * is sent again only when its time is up.
 */
void links_renew(struct session *s, uint64_t size_bytes);

/*
 * monitor_run() - look after the device until it is detached, or until a
 * signal says to leave it alone.
 * Return: 0, or 1 when the device was lost.
 */
int monitor_run(struct session *s);

/* The verbs.  Return: the exit status. */
int attach_run(const struct attach_args *args);
int detach_run(const char *what, bool force);
int list_run(bool json);
int status_run(const char *device, bool json);

#endif
