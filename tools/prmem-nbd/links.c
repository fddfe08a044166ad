/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/nbd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tools/prmem-nbd/device.h"
#include "tools/prmem-nbd/session.h"

#define UUID_LEN 36

/* The UUID in a description that says "pool UUID", the last one: what comes before may be a person's words. */
static const char *
find_pool(const char *description)
{
	const char *at = description, *found = NULL;

	while ((at = strstr(at, "pool "))) {
		at += 5;
		if (strspn(at, "0123456789abcdefABCDEF-") == UUID_LEN)
			found = at;
	}
	return found;
}

char *
identity(const struct target *target, const struct export_info *info)
{
	const char *uuid = find_pool(info->description);
	char *text = NULL, *uri;

	if (uuid) {
		if (asprintf(&text, "prmem:%.*s/%s", UUID_LEN, uuid, info->name) < 0)
			return NULL;
		return text;
	}
	/* Not a prmem server, or an old one: its address has to do. */
	uri = target_uri(target);
	if (!uri || asprintf(&text, "nbd:%s", uri) < 0)
		text = NULL;
	free(uri);
	return text;
}

static void
close_links(struct link *links, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		close(links[i].fd);
}

static int
check_identity(const struct target *target, const struct export_info *info, const char *identifier, struct why *why)
{
	char *now = identity(target, info);
	int r = 0;

	if (!now)
		return why_set(why, -ENOMEM, "out of memory");
	if (strcmp(now, identifier) != 0)
		r = why_set(why, -ESTALE, "another disk answers there: %s, not %s", now, identifier);
	free(now);
	return r;
}

int
links_open(const struct target *target, const char *identifier, unsigned int nr, struct link *links,
	   struct export_info *ret_info, struct why *why)
{
	struct export_info *info = malloc(sizeof(*info));
	unsigned int i;
	int r = 0;

	if (!info)
		return why_set(why, -ENOMEM, "out of memory");
	for (i = 0; i < nr; i++) {
		int fd = handshake_open(target, HANDSHAKE_GO, HANDSHAKE_TIMEOUT_MS, info, why);

		r = fd < 0 ? fd : 0;
		if (r == 0 && identifier) {
			r = check_identity(target, info, identifier, why);
			if (r < 0)
				close(fd);
		}
		if (r < 0)
			break;
		links[i].fd = fd;
		links[i].size_bytes = info->size_bytes;
		if (ret_info)
			*ret_info = *info;
		if (!(info->flags & NBD_FLAG_CAN_MULTI_CONN)) {
			i++;
			break;
		}
	}
	free(info);
	if (i == 0)
		return r;
	/* Another disk on any of them: the server changed under our hands. */
	if (r == -ESTALE) {
		close_links(links, i);
		return r;
	}
	return (int)i;
}

unsigned int
links_prune(struct session *s)
{
	unsigned int i, kept = 0, nr = s->nr_links;

	for (i = 0; i < nr; i++) {
		struct pollfd p = {.fd = s->links[i].fd, .events = POLLRDHUP};

		if (poll(&p, 1, 0) > 0)
			close(s->links[i].fd);
		else
			s->links[kept++] = s->links[i];
	}
	s->nr_links = kept;
	return nr - kept;
}

/*
 * The driver sets the send timeout of a socket when it takes it, and at no
 * other time; the socket is shared, so our copy shows it.
 */
static bool
kernel_took(int fd)
{
	struct timeval tv = {0};
	socklen_t len = sizeof(tv);

	return getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &len) == 0 && (tv.tv_sec || tv.tv_usec);
}

int
links_offer(struct session *s, unsigned int nr, struct why *why)
{
	struct link fresh[CONNECTIONS_MAX];
	int fds[CONNECTIONS_MAX], i, nr_fresh, r, taken = 0;

	nr_fresh = links_open(&s->target, s->state.identifier, nr, fresh, NULL, why);
	if (nr_fresh < 0)
		return nr_fresh;
	for (i = 0; i < nr_fresh; i++)
		fds[i] = fresh[i].fd;
	r = netlink_reconfigure(&s->nl, s->state.index, s->state.identifier, 0, fds, (unsigned int)nr_fresh, why);
	if (r < 0) {
		close_links(fresh, (unsigned int)nr_fresh);
		return r;
	}
	for (i = 0; i < nr_fresh; i++) {
		if (kernel_took(fresh[i].fd)) {
			s->links[s->nr_links++] = fresh[i];
			taken++;
		} else {
			close(fresh[i].fd);
		}
	}
	/* What was taken replaces what was unknown, as far as there is room. */
	if (s->nr_links + s->nr_unknown > s->state.nr_connections)
		s->nr_unknown = s->state.nr_connections - s->nr_links;
	return taken;
}

uint64_t
links_size(const struct session *s)
{
	uint64_t size = UINT64_MAX;
	unsigned int i;

	if (s->nr_unknown > 0 || s->nr_links < s->state.nr_connections)
		return 0;
	for (i = 0; i < s->nr_links; i++)
		if (s->links[i].size_bytes < size)
			size = s->links[i].size_bytes;
	return size / s->state.block_bytes * s->state.block_bytes;
}

void
links_renew(struct session *s, uint64_t size_bytes)
{
	unsigned int i, tries;

	for (tries = 0; tries < 200 && !device_is_idle(s->state.index); tries++)
		usleep(5000);
	for (i = 0; i < s->nr_links; i++)
		if (s->links[i].size_bytes < size_bytes)
			shutdown(s->links[i].fd, SHUT_RDWR);
}
