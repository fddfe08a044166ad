/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/nbd-netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "tools/prmem-nbd/netlink.h"

extern char **environ;

/*
 * libnl folds errno values into a set of its own; these are the ones that its
 * own part of the work can end with.
 */
static int
from_libnl(int error)
{
	switch (-error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_INVAL:
	case NLE_RANGE:
		return -EINVAL;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_NODEV:
		return -ENODEV;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_INTR:
		return -EINTR;
	case NLE_AGAIN:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

static void
load_module(void)
{
	char *argv[] = {(char *)"modprobe", (char *)"-q", (char *)"nbd", NULL};
	pid_t pid;

	if (posix_spawnp(&pid, "modprobe", NULL, NULL, argv, environ) == 0)
		waitpid(pid, NULL, 0);
}

static int
subscribe(struct netlink *nl, struct why *why)
{
	int group = genl_ctrl_resolve_grp(nl->command, NBD_GENL_FAMILY_NAME, NBD_GENL_MCAST_GROUP_NAME);
	int r;

	if (group < 0)
		return why_set(why, -ENOENT,
			       "the kernel's nbd driver is too old: it tells nothing about dead connections");
	nl->events = nl_socket_alloc();
	if (!nl->events)
		return why_set(why, -ENOMEM, "out of memory");
	nl_socket_disable_seq_check(nl->events);
	r = genl_connect(nl->events);
	if (r == 0)
		r = nl_socket_add_membership(nl->events, group);
	if (r == 0)
		r = nl_socket_set_nonblocking(nl->events);
	if (r < 0)
		return why_set(why, from_libnl(r), "cannot listen to the nbd driver: %s", nl_geterror(r));
	return 0;
}

int
netlink_open(struct netlink *nl, struct why *why)
{
	int r;

	memset(nl, 0, sizeof(*nl));
	nl->command = nl_socket_alloc();
	if (!nl->command)
		return why_set(why, -ENOMEM, "out of memory");
	r = genl_connect(nl->command);
	if (r < 0) {
		r = why_set(why, from_libnl(r), "cannot open a netlink socket: %s", nl_geterror(r));
		goto fail;
	}
	nl->family = genl_ctrl_resolve(nl->command, NBD_GENL_FAMILY_NAME);
	if (nl->family < 0) {
		load_module();
		nl->family = genl_ctrl_resolve(nl->command, NBD_GENL_FAMILY_NAME);
	}
	if (nl->family < 0) {
		r = why_set(why, -ENOENT, "the kernel has no nbd driver: \"modprobe nbd\" as root should load it");
		goto fail;
	}
	r = subscribe(nl, why);
	if (r < 0)
		goto fail;
	return 0;
fail:
	netlink_close(nl);
	return r;
}

void
netlink_close(struct netlink *nl)
{
	nl_socket_free(nl->command);
	nl_socket_free(nl->events);
	memset(nl, 0, sizeof(*nl));
}

static struct nl_msg *
new_message(const struct netlink *nl, uint8_t command)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, 0, command, NBD_GENL_VERSION)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

static int
put_sockets(struct nl_msg *msg, const int *fds, unsigned int nr_fds)
{
	struct nlattr *list, *item;
	unsigned int i;

	if (nr_fds == 0)
		return 0;
	list = nla_nest_start(msg, NBD_ATTR_SOCKETS);
	if (!list)
		return -1;
	for (i = 0; i < nr_fds; i++) {
		item = nla_nest_start(msg, NBD_SOCK_ITEM);
		if (!item || nla_put_u32(msg, NBD_SOCK_FD, (uint32_t)fds[i]) < 0)
			return -1;
		nla_nest_end(msg, item);
	}
	nla_nest_end(msg, list);
	return 0;
}

struct answer {
	int index;
	int error; /* a negative errno, or 1 while nothing came */
};

static int
on_valid(struct nl_msg *msg, void *opaque)
{
	struct nlattr *attrs[NBD_ATTR_MAX + 1];
	struct answer *answer = opaque;

	if (genlmsg_parse(nlmsg_hdr(msg), 0, attrs, NBD_ATTR_MAX, NULL) == 0 && attrs[NBD_ATTR_INDEX])
		answer->index = (int)nla_get_u32(attrs[NBD_ATTR_INDEX]);
	return NL_OK;
}

static int
on_ack(struct nl_msg *msg, void *opaque)
{
	struct answer *answer = opaque;

	(void)msg;
	answer->error = 0;
	return NL_STOP;
}

/* libnl's own codes lose errno values; the message itself has the true one. */
static int
on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *opaque)
{
	struct answer *answer = opaque;

	(void)from;
	answer->error = error->error;
	return NL_STOP;
}

/* Send @msg (and free it) and wait until the kernel has done it. */
static int
call(struct netlink *nl, struct nl_msg *msg, struct answer *answer)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int r;

	answer->index = -1;
	answer->error = 1;
	if (!cb) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, answer);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, answer);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, answer);
	r = nl_send_auto(nl->command, msg);
	nlmsg_free(msg);
	while (r >= 0 && answer->error == 1) {
		r = nl_recvmsgs(nl->command, cb);
		if (r == -NLE_INTR)
			r = 0;
	}
	nl_cb_put(cb);
	if (answer->error <= 0)
		return answer->error;
	return from_libnl(r);
}

static int
explain(int error, const char *what, int index, struct why *why)
{
	char device[32] = "";

	if (index >= 0)
		snprintf(device, sizeof(device), " /dev/nbd%d", index);
	switch (error) {
	case -EPERM:
		return why_set(why, error, "cannot %s%s: only root may", what, device);
	case -EBUSY:
		return why_set(why, error, "cannot %s%s: it is in use", what, device);
	default:
		return why_set(why, error, "cannot %s%s: %s (the kernel's log may say more)", what, device,
			       strerror(-error));
	}
}

int
netlink_connect(struct netlink *nl, const struct netlink_connect *args, int *ret_index, struct why *why)
{
	struct nl_msg *msg = new_message(nl, NBD_CMD_CONNECT);
	struct answer answer;
	int r;

	if (!msg)
		return why_set(why, -ENOMEM, "out of memory");
	if ((args->index >= 0 && nla_put_u32(msg, NBD_ATTR_INDEX, (uint32_t)args->index) < 0) ||
	    nla_put_u64(msg, NBD_ATTR_SIZE_BYTES, args->size_bytes) < 0 ||
	    nla_put_u64(msg, NBD_ATTR_BLOCK_SIZE_BYTES, args->block_bytes) < 0 ||
	    nla_put_u64(msg, NBD_ATTR_SERVER_FLAGS, args->server_flags) < 0 ||
	    nla_put_u64(msg, NBD_ATTR_TIMEOUT, args->timeout_s) < 0 ||
	    nla_put_u64(msg, NBD_ATTR_DEAD_CONN_TIMEOUT, args->dead_timeout_s) < 0 ||
	    nla_put_string(msg, NBD_ATTR_BACKEND_IDENTIFIER, args->identifier) < 0 ||
	    put_sockets(msg, args->fds, args->nr_fds) < 0) {
		nlmsg_free(msg);
		return why_set(why, -EMSGSIZE, "too much for one netlink message: use fewer connections");
	}
	r = call(nl, msg, &answer);
	if (r < 0)
		return explain(r, "attach", args->index, why);
	if (answer.index < 0)
		return why_set(why, -EIO, "the kernel attached a device and did not say which");
	*ret_index = answer.index;
	return 0;
}

int
netlink_reconfigure(struct netlink *nl, int index, const char *identifier, uint64_t size_bytes, const int *fds,
		    unsigned int nr_fds, struct why *why)
{
	struct nl_msg *msg = new_message(nl, NBD_CMD_RECONFIGURE);
	struct answer answer;
	int r;

	if (!msg)
		return why_set(why, -ENOMEM, "out of memory");
	if (nla_put_u32(msg, NBD_ATTR_INDEX, (uint32_t)index) < 0 ||
	    nla_put_string(msg, NBD_ATTR_BACKEND_IDENTIFIER, identifier) < 0 ||
	    (size_bytes && nla_put_u64(msg, NBD_ATTR_SIZE_BYTES, size_bytes) < 0) ||
	    put_sockets(msg, fds, nr_fds) < 0) {
		nlmsg_free(msg);
		return why_set(why, -EMSGSIZE, "too much for one netlink message: use fewer connections");
	}
	r = call(nl, msg, &answer);
	return r < 0 ? explain(r, "reattach", index, why) : 0;
}

int
netlink_disconnect(struct netlink *nl, int index, struct why *why)
{
	struct nl_msg *msg = new_message(nl, NBD_CMD_DISCONNECT);
	struct answer answer;
	int r;

	if (!msg)
		return why_set(why, -ENOMEM, "out of memory");
	if (nla_put_u32(msg, NBD_ATTR_INDEX, (uint32_t)index) < 0) {
		nlmsg_free(msg);
		return why_set(why, -ENOMEM, "out of memory");
	}
	r = call(nl, msg, &answer);
	return r < 0 ? explain(r, "detach", index, why) : 0;
}

int
netlink_event_fd(const struct netlink *nl)
{
	return nl_socket_get_fd(nl->events);
}

struct news {
	int index;
	bool died;
};

static int
on_news(struct nl_msg *msg, void *opaque)
{
	struct nlattr *attrs[NBD_ATTR_MAX + 1];
	struct news *news = opaque;

	if (genlmsg_hdr(nlmsg_hdr(msg))->cmd == NBD_CMD_LINK_DEAD &&
	    genlmsg_parse(nlmsg_hdr(msg), 0, attrs, NBD_ATTR_MAX, NULL) == 0 && attrs[NBD_ATTR_INDEX] &&
	    (int)nla_get_u32(attrs[NBD_ATTR_INDEX]) == news->index)
		news->died = true;
	return NL_OK;
}

/* News answer no question, so their numbers mean nothing. */
static int
any_sequence(struct nl_msg *msg, void *opaque)
{
	(void)msg;
	(void)opaque;
	return NL_OK;
}

bool
netlink_link_died(struct netlink *nl, int index)
{
	struct news news = {.index = index};
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int r;

	if (!cb)
		return true;
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, any_sequence, NULL);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_news, &news);
	do
		r = nl_recvmsgs(nl->events, cb);
	while (r >= 0);
	nl_cb_put(cb);
	/* -NLE_AGAIN: all is read; anything else may hide news (an overrun: -NLE_NOMEM) */
	return news.died || r != -NLE_AGAIN;
}
