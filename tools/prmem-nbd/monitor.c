/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/nbd.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "tools/prmem-nbd/device.h"
#include "tools/prmem-nbd/session.h"

#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 1000
/* RECONFIGURE answers EINVAL to a device that is being detached; that passes. */
#define NR_REFUSALS_MAX 10

struct watch {
	struct session *s;
	int signal_fd;
	bool offer; /* fresh connections are wanted */
	bool check; /* the size is to be looked at */
	int retry_ms; /* until the next try */
	int64_t retry_at_ms;
	int64_t check_at_ms;
	int64_t dead_since_ms; /* 0 while all is well */
	unsigned int nr_taken; /* by the kernel, since then */
	unsigned int nr_refusals;
	bool complained;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * The disk's users wait for this process when the server has gone, and it may
 * be writing their dirty pages that has to free the memory it asks for: be
 * resident, and let no allocation wait for a disk.
 */
static void
become_unstoppable(void)
{
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

static void
publish(struct session *s)
{
	struct why why;

	s->state.nr_live = s->nr_links + s->nr_unknown;
	if (state_write(&s->state, &why) < 0)
		say_error("%s", why.text);
}

static bool
is_gone(const struct session *s)
{
	char buf[4352];

	if (!device_is_connected(s->state.index))
		return true;
	return device_identifier(s->state.index, buf, sizeof(buf)) == 0 && strcmp(buf, s->state.identifier) != 0;
}

static void
try_again_later(struct watch *w)
{
	w->retry_at_ms = now_ms() + w->retry_ms;
	w->retry_ms = w->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : w->retry_ms * 2;
}

static void
all_is_well(struct watch *w)
{
	struct session *s = w->s;
	double seconds = (double)(now_ms() - w->dead_since_ms) / 1000;

	w->offer = false;
	w->retry_ms = RETRY_MIN_MS;
	w->complained = false;
	/* News of connections that were replaced meanwhile may still come; they mean nothing. */
	if (w->nr_taken > 0) {
		s->state.nr_reattached++;
		say_note("/dev/nbd%d: reattached after %.1f s", s->state.index, seconds);
		say_to_manager("STATUS=attached");
		publish(s);
	}
	w->dead_since_ms = 0;
	w->nr_taken = 0;
}

/* Return: false when the device is gone. */
static bool
offer(struct watch *w)
{
	struct session *s = w->s;
	unsigned int want = s->state.nr_connections - s->nr_links;
	struct why why;
	int r;

	if (want == 0) {
		all_is_well(w);
		return true;
	}
	if (is_gone(s))
		return false;
	r = links_offer(s, want, &why);
	if (r == -EINVAL || r == -ENODEV) {
		if (is_gone(s) || ++w->nr_refusals >= NR_REFUSALS_MAX)
			return false;
		try_again_later(w);
		return true;
	}
	w->nr_refusals = 0;
	if (r < 0) {
		if (!w->complained)
			say_error("/dev/nbd%d: %s; will try again", s->state.index, why.text);
		w->complained = true;
		try_again_later(w);
		return true;
	}
	w->nr_taken += (unsigned int)r;
	/*
	 * The kernel takes a fresh connection only for one that it knows to be
	 * dead.  Ours may have been seen to hang up before it noticed.
	 */
	if (s->nr_links + s->nr_unknown < s->state.nr_connections)
		try_again_later(w);
	else
		all_is_well(w);
	return true;
}

/* Tell the kernel when every connection serves more than it knows of. */
static void
grow(struct session *s)
{
	uint64_t size = links_size(s);
	struct why why;

	if (size == 0 || size == s->state.size_bytes)
		return;
	if (size < s->state.size_bytes) {
		say_error("/dev/nbd%d: the server's disk has shrunk to %llu bytes; the device keeps its size, and what "
			  "lies behind fails",
			  s->state.index, (unsigned long long)size);
	} else if (netlink_reconfigure(&s->nl, s->state.index, s->state.identifier, size, NULL, 0, &why) < 0) {
		say_error("%s", why.text);
		return;
	} else {
		say_note("/dev/nbd%d: has grown to %llu bytes", s->state.index, (unsigned long long)size);
	}
	s->state.size_bytes = size;
	publish(s);
}

/*
 * Ask the server for the disk's size.  NBD cannot tell it on a connection that
 * is in use, and a connection serves no more than it was opened with.
 */
static void
check_size(struct watch *w)
{
	struct session *s = w->s;
	static struct export_info info;
	uint64_t size;

	w->check = false;
	if (s->nr_unknown > 0 || w->offer ||
	    handshake_open(&s->target, HANDSHAKE_ASK, HANDSHAKE_TIMEOUT_MS, &info, NULL) < 0)
		return;
	size = info.size_bytes / s->state.block_bytes * s->state.block_bytes;
	if (size > s->state.size_bytes)
		links_renew(s, info.size_bytes);
}

static int
sleep_ms(const struct watch *w)
{
	int64_t until = INT64_MAX, left;

	if (w->offer)
		until = w->retry_at_ms;
	if (w->s->check_interval_s > 0 && w->check_at_ms < until)
		until = w->check_at_ms;
	if (until == INT64_MAX)
		return -1;
	left = until - now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* Return: a signal that says to leave, or 0. */
static int
wait_for_news(struct watch *w)
{
	struct session *s = w->s;
	struct pollfd p[2 + CONNECTIONS_MAX];
	struct signalfd_siginfo info;
	unsigned int i;

	p[0] = (struct pollfd){.fd = w->signal_fd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = netlink_event_fd(&s->nl), .events = POLLIN};
	for (i = 0; i < s->nr_links; i++)
		p[2 + i] = (struct pollfd){.fd = s->links[i].fd, .events = POLLRDHUP};
	if (poll(p, 2 + s->nr_links, sleep_ms(w)) <= 0)
		return 0;
	if (p[1].revents && netlink_link_died(&s->nl, s->state.index))
		w->offer = true;
	if (p[0].revents && read(w->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGHUP)
			return (int)info.ssi_signo;
		w->check = true;
	}
	return 0;
}

static bool
look_after(struct watch *w)
{
	struct session *s = w->s;

	if (links_prune(s) > 0 || s->nr_links + s->nr_unknown < s->state.nr_connections)
		w->offer = true;
	if (w->offer && w->dead_since_ms == 0) {
		/* Not at once: a device that is being detached loses its connections first. */
		w->dead_since_ms = now_ms();
		w->retry_at_ms = w->dead_since_ms + RETRY_MIN_MS;
	}
	/* Connections of one server may be seen to die one after the other. */
	if (s->nr_links + s->nr_unknown < s->state.nr_live) {
		publish(s);
		if (s->state.nr_live == 0)
			say_to_manager("STATUS=waiting for the server");
	}
	if (w->offer && now_ms() >= w->retry_at_ms && !offer(w))
		return false;
	grow(s);
	if (s->check_interval_s > 0 && now_ms() >= w->check_at_ms) {
		w->check = true;
		w->check_at_ms = now_ms() + (int64_t)s->check_interval_s * 1000;
		if (!w->offer && is_gone(s))
			return false;
	}
	if (w->check)
		check_size(w);
	return true;
}

int
monitor_run(struct session *s)
{
	struct watch w = {.s = s, .retry_ms = RETRY_MIN_MS};
	sigset_t mask;
	int sig;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	w.signal_fd = signalfd(-1, &mask, SFD_CLOEXEC);
	if (w.signal_fd < 0) {
		say_error("cannot wait for signals: %s", strerror(errno));
		return 1;
	}
	become_unstoppable();
	/* What an earlier monitor left may have died since: the kernel takes what it needs. */
	w.offer = s->nr_unknown > 0;
	w.check_at_ms = now_ms() + (int64_t)s->check_interval_s * 1000;

	for (;;) {
		if (!look_after(&w)) {
			say_note("/dev/nbd%d: detached", s->state.index);
			state_remove(s->state.index);
			device_announce(s->state.index);
			return 0;
		}
		sig = wait_for_news(&w);
		if (sig) {
			say_note("/dev/nbd%d: left attached, but nobody looks after it now; \"prmem-nbd attach\" does "
				 "again, \"prmem-nbd detach\" ends it",
				 s->state.index);
			return 0;
		}
	}
}
