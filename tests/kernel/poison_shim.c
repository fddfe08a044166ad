/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded into the server: a page of device-DAX that raises a machine check
 * whenever it is touched.
 *
 * Real poison ends the very load that touches it, and the kernel turns that
 * into SIGBUS (BUS_MCEERR_AR) with the start of the 2 MiB mapping as address.
 * A virtual machine cannot have poison; MADV_HWPOISON has the kernel's
 * book-keeping but lets later loads through.  So the last step is played here.
 * On SIGUSR2 the page that begins with the marker in $PRMEM_TEST_POISON is
 * looked for, and the 2 MiB it lies in are made inaccessible (device-DAX cannot
 * protect less).  Touching the page then raises the signal that the machine
 * check would; touching its neighbours is let through, one instruction at a
 * time.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE_BYTES 4096ul
#define MAPPING_BYTES (2ul << 20)
#define EFLAGS_TF 0x100

static char *page; /* the poisoned one */
static char *mapping; /* the 2 MiB it lies in */

static void
say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

static void
on_usr2(int signo)
{
	const char *marker = getenv("PRMEM_TEST_POISON");
	unsigned long start, end;
	char line[512];
	FILE *maps;

	(void)signo;
	maps = fopen("/proc/self/maps", "re");
	while (marker && !page && maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "/dev/dax") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		for (; start < end && !page; start += PAGE_BYTES)
			if (memcmp((char *)start, marker, strlen(marker)) == 0)
				page = (char *)start;
	}
	if (maps)
		fclose(maps);
	if (!page) {
		say("poison: the marker is not in the pool\n");
		return;
	}
	mapping = (char *)((uintptr_t)page & ~(MAPPING_BYTES - 1));
	if (mprotect(mapping, MAPPING_BYTES, PROT_NONE) == 0)
		say("poison: ready\n");
}

static void
on_segv(int signo, siginfo_t *info, void *context)
{
	siginfo_t check = {.si_signo = SIGBUS, .si_code = BUS_MCEERR_AR};
	char *at = info->si_addr;
	ucontext_t *uc = context;

	if (!mapping || at < mapping || at >= mapping + MAPPING_BYTES) {
		signal(signo, SIG_DFL);
		return;
	}
	if (at >= page && at < page + PAGE_BYTES) {
		check.si_addr = mapping;
		syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), SIGBUS, &check);
		return;
	}
	mprotect(mapping, MAPPING_BYTES, PROT_READ | PROT_WRITE);
	uc->uc_mcontext.gregs[REG_EFL] |= EFLAGS_TF;
}

static void
on_trap(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signo;
	(void)info;
	uc->uc_mcontext.gregs[REG_EFL] &= ~EFLAGS_TF;
	mprotect(mapping, MAPPING_BYTES, PROT_NONE);
}

__attribute__((constructor)) static void
prepare(void)
{
	struct sigaction usr2 = {.sa_handler = on_usr2, .sa_flags = SA_RESTART};
	struct sigaction segv = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};

	if (!getenv("PRMEM_TEST_POISON"))
		return;
	sigaction(SIGUSR2, &usr2, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGTRAP, &trap, NULL);
}
