/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/determinism.h"

struct running_job {
	struct job job;
	pid_t pid;
	int fd; /* its answer comes here: a struct run, in one piece */
};

void
jobs_init(struct jobs *jobs, unsigned int max, void (*done)(void *opaque, const struct job *job), void *opaque)
{
	*jobs = (struct jobs){.max = max, .done = done, .opaque = opaque};
	jobs->running = calloc(max, sizeof *jobs->running);
	if (!jobs->running)
		abort();
}

static void
reap(struct jobs *jobs)
{
	struct running_job *r = NULL;
	int status;
	pid_t pid;

	do
		pid = wait(&status);
	while (pid < 0 && errno == EINTR);
	for (unsigned int i = 0; i < jobs->nr; i++)
		if (jobs->running[i].pid == pid)
			r = &jobs->running[i];
	if (!r)
		return;
	if (read(r->fd, &r->job.run, sizeof r->job.run) != sizeof r->job.run)
		snprintf(r->job.run.why, sizeof r->job.run.why, "the process gave no answer");
	close(r->fd);
	r->job.ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	r->job.died = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	jobs->done(jobs->opaque, &r->job);
	*r = jobs->running[--jobs->nr];
}

void
jobs_start(struct jobs *jobs, const struct job *job)
{
	struct running_job *r;
	int fds[2];

	while (jobs->nr == jobs->max)
		reap(jobs);
	if (pipe(fds) < 0)
		abort();
	fflush(NULL);
	r = &jobs->running[jobs->nr++];
	r->job = *job;
	r->fd = fds[0];
	r->pid = fork();
	if (r->pid < 0)
		abort();
	if (r->pid == 0) {
		struct run run = job->run;
		bool ok;

		determinism_start(run.seed);
		ok = job->workload->fn(&run, job->workload);
		/* Less than a pipe holds: nobody need read it before this process ends. */
		if (write(fds[1], &run, sizeof run) != sizeof run)
			_exit(3);
		_exit(ok ? 0 : 1);
	}
	close(fds[1]);
}

void
jobs_wait(struct jobs *jobs)
{
	while (jobs->nr > 0)
		reap(jobs);
	free(jobs->running);
	jobs->running = NULL;
}
