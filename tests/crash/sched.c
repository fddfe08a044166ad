/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/sched.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mix64.h"
#include "tests/crash/sim_pm.h"

/* What the linker calls instead of, and what it calls the real things. */
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
void __wrap_urcu_bp_read_lock(void);
void __wrap_urcu_bp_read_unlock(void);
void __wrap_urcu_bp_synchronize_rcu(void);

enum state { IDLE, READY, WAITS_MUTEX, WAITS_READERS };

struct worker {
	pthread_t thread;
	sem_t go;
	enum state state;
	const pthread_mutex_t *mutex; /* it waits for */
	unsigned int nesting; /* of its read lock */
	uint64_t nr_sections; /* read sections it has left */
	uint64_t waits_for[SCHED_MAX_THREADS]; /* nr_sections of readers it waits for, + 1; 0: not for this one */
};

static struct worker workers[SCHED_MAX_THREADS];
static unsigned int nr_created;
static sem_t all_done;

/* The run under way; only the thread that runs touches it. */
static struct {
	bool active;
	unsigned int nr;
	const struct schedule *schedule;
	unsigned int next_preempt;
	struct sched_trace *trace;
	void (*fn)(void *opaque, unsigned int thread);
	void *opaque;
} now;

static _Thread_local struct worker *self;

static unsigned int
number(const struct worker *worker)
{
	return (unsigned int)(worker - workers);
}

static void
hand_over(struct worker *to)
{
	if (to == self)
		return;
	sem_post(&to->go);
	while (sem_wait(&self->go) != 0)
		;
}

static struct worker *
any_ready(void)
{
	for (unsigned int i = 0; i < now.nr; i++)
		if (workers[i].state == READY)
			return &workers[i];
	return NULL;
}

static void
step(void)
{
	struct sched_trace *trace = now.trace;
	uint32_t at = trace->nr_steps;

	if (at == SCHED_MAX_STEPS) {
		fprintf(stderr, "sched: more than %u steps: does a thread spin?\n", SCHED_MAX_STEPS);
		abort();
	}
	trace->running[trace->nr_steps++] = (uint8_t)number(self);
	if (now.next_preempt < now.schedule->nr_preempts && now.schedule->preempts[now.next_preempt].step == at) {
		struct worker *to = &workers[now.schedule->preempts[now.next_preempt++].to];

		if (to->state == READY && to != self)
			hand_over(to);
		else
			trace->useless = true;
	}
}

static void
yield(void)
{
	if (now.active && self)
		step();
}

/* The running thread must wait: another one goes on. */
static void
wait_as(enum state state)
{
	struct worker *to;

	self->state = state;
	to = any_ready();
	if (!to) {
		char text[128];

		schedule_text(now.schedule, text, sizeof text);
		fprintf(stderr, "sched: deadlock under schedule %s:", text);
		for (unsigned int i = 0; i < now.nr; i++)
			fprintf(stderr, " T%u %s", i,
				workers[i].state == WAITS_MUTEX	    ? "waits for a mutex"
				: workers[i].state == WAITS_READERS ? "waits for readers"
								    : "is done");
		fprintf(stderr, "\n");
		abort();
	}
	hand_over(to);
}

int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (!now.active || !self)
		return __real_pthread_mutex_lock(mutex);
	step();
	while (pthread_mutex_trylock(mutex) != 0) {
		self->mutex = mutex;
		wait_as(WAITS_MUTEX);
	}
	return 0;
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	int r = __real_pthread_mutex_unlock(mutex);

	if (now.active && self)
		for (unsigned int i = 0; i < now.nr; i++)
			if (workers[i].state == WAITS_MUTEX && workers[i].mutex == mutex)
				workers[i].state = READY;
	return r;
}

/* Outside of a run there is one thread, and the read lock has nothing to do. */
void
__wrap_urcu_bp_read_lock(void)
{
	if (self)
		self->nesting++;
}

static bool
readers_have_left(const struct worker *waits)
{
	for (unsigned int i = 0; i < now.nr; i++)
		if (waits->waits_for[i] && workers[i].nesting && workers[i].nr_sections + 1 == waits->waits_for[i])
			return false;
	return true;
}

void
__wrap_urcu_bp_read_unlock(void)
{
	if (!self || --self->nesting > 0)
		return;
	self->nr_sections++;
	for (unsigned int i = 0; i < now.nr; i++)
		if (workers[i].state == WAITS_READERS && readers_have_left(&workers[i]))
			workers[i].state = READY;
}

void
__wrap_urcu_bp_synchronize_rcu(void)
{
	if (!now.active || !self)
		return;
	if (self->nesting) {
		fprintf(stderr, "sched: a thread waits for readers under the read lock\n");
		abort();
	}
	step();
	for (unsigned int i = 0; i < now.nr; i++)
		self->waits_for[i] = workers[i].nesting ? workers[i].nr_sections + 1 : 0;
	while (!readers_have_left(self))
		wait_as(WAITS_READERS);
}

static void *
work(void *opaque)
{
	self = opaque;
	sim_thread = number(self);
	for (;;) {
		struct worker *to;

		while (sem_wait(&self->go) != 0)
			;
		now.fn(now.opaque, number(self));
		self->state = IDLE;
		to = any_ready();
		if (to)
			sem_post(&to->go);
		else
			sem_post(&all_done);
	}
	return NULL;
}

void
sched_run(const struct schedule *schedule, unsigned int nr, void (*fn)(void *opaque, unsigned int thread), void *opaque,
	  struct sched_trace *ret_trace)
{
	if (nr_created == 0)
		sem_init(&all_done, 0, 0);
	for (; nr_created < nr; nr_created++) {
		sem_init(&workers[nr_created].go, 0, 0);
		if (pthread_create(&workers[nr_created].thread, NULL, work, &workers[nr_created]) != 0)
			abort();
	}
	ret_trace->nr_steps = 0;
	ret_trace->useless = false;
	now.nr = nr;
	now.schedule = schedule;
	now.next_preempt = 0;
	now.trace = ret_trace;
	now.fn = fn;
	now.opaque = opaque;
	for (unsigned int i = 0; i < nr; i++)
		workers[i].state = READY;
	sim_yield = yield;
	now.active = true;
	sem_post(&workers[schedule->first].go);
	while (sem_wait(&all_done) != 0)
		;
	now.active = false;
	sim_yield = NULL;
}

struct all {
	unsigned int nr;
	uint64_t nr_run;
	uint64_t keep_of_2_32; /* a schedule is kept with this chance */
	uint64_t random;
	bool (*run)(void *opaque, const struct schedule *schedule, struct sched_trace *ret_trace);
	void *opaque;
	bool stopped;
};

/* @schedule and what follows from it by one more pre-emption, after the last one. */
static void
run_and_extend(struct all *all, struct schedule *schedule)
{
	static struct sched_trace traces[SCHED_MAX_PREEMPTS + 1];
	struct sched_trace *trace = &traces[schedule->nr_preempts];
	unsigned int n = schedule->nr_preempts;
	uint32_t from = n ? schedule->preempts[n - 1].step + 1 : 0;

	if (n == SCHED_MAX_PREEMPTS) {
		all->random += UINT64_C(0x9e3779b97f4a7c15);
		if ((mix64(all->random) >> 32) >= all->keep_of_2_32)
			return;
	}
	all->nr_run++;
	if (!all->run(all->opaque, schedule, trace)) {
		all->stopped = true;
		return;
	}
	if (trace->useless || n == SCHED_MAX_PREEMPTS)
		return;
	schedule->nr_preempts++;
	for (uint32_t at = from; at < trace->nr_steps && !all->stopped; at++)
		for (uint8_t to = 0; to < all->nr && !all->stopped; to++) {
			if (to == trace->running[at])
				continue;
			schedule->preempts[n].step = at;
			schedule->preempts[n].to = to;
			run_and_extend(all, schedule);
		}
	schedule->nr_preempts--;
}

uint64_t
sched_for_all(unsigned int nr, uint64_t max, uint64_t seed,
	      bool (*run)(void *opaque, const struct schedule *schedule, struct sched_trace *ret_trace), void *opaque)
{
	struct all all = {.nr = nr, .random = seed, .run = run, .opaque = opaque, .keep_of_2_32 = UINT64_C(1) << 32};
	struct sched_trace trace;
	struct schedule first = {0};

	if (max) {
		uint64_t guess;

		/* How many there are follows from the number of steps. */
		all.nr_run++;
		if (!run(opaque, &first, &trace))
			return all.nr_run;
		guess = (uint64_t)nr * (nr - 1) * trace.nr_steps * (nr - 1) * trace.nr_steps / 2;
		if (guess > max)
			all.keep_of_2_32 = (max << 32) / guess;
	}
	for (uint8_t t = 0; t < nr && !all.stopped; t++) {
		struct schedule schedule = {.first = t};

		run_and_extend(&all, &schedule);
	}
	return all.nr_run;
}

void
schedule_text(const struct schedule *schedule, char *buf, unsigned int buf_bytes)
{
	int n = snprintf(buf, buf_bytes, "T%u first", schedule->first);

	for (unsigned int i = 0; i < schedule->nr_preempts; i++)
		n += snprintf(buf + n, buf_bytes - (unsigned int)n, ", T%u at step %u", schedule->preempts[i].to,
			      schedule->preempts[i].step);
}
