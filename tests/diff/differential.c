/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * differential ORACLE PAIRS SEED OFFSET JOBS: the comparison of the suites at any
 * length, on as many processes as asked for.  The same seed and offset give the
 * same pairs; at the end, or when interrupted, it says from where to go on.
 */
#include "config.h" /* system extensions: MAP_ANONYMOUS */

#include "tests/diff/compare.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Cases that a process takes at a time. */
#define BLOCK 256
#define MAX_JOBS 256
#define NO_BLOCK UINT64_MAX

/* What the processes share. */
struct campaign {
	const struct diff_oracle *oracle;
	uint64_t seed, first, end; /* cases */
	_Atomic uint64_t next;     /* blocks are handed out in order, and finished */
	atomic_bool is_stopped;
	unsigned n_jobs;
	struct {
		struct diff_tally tally;
		uint64_t block; /* under way; NO_BLOCK: none */
		int rc;
		struct ebpf_err err;
	} jobs[MAX_JOBS];
};

static struct campaign *campaign;

static void
stop(int signal)
{
	(void)signal;
	atomic_store(&campaign->is_stopped, true);
}

/* The next block's first case and length; false: there is none. */
static bool
take_block(struct campaign *c, uint64_t *first, uint64_t *n)
{
	if (atomic_load(&c->is_stopped))
		return false;
	*first = atomic_fetch_add(&c->next, BLOCK);
	if (*first >= c->end)
		return false;
	*n = c->end - *first < BLOCK ? c->end - *first : BLOCK;
	return true;
}

/* A processor for each job: oracles stay where they are opened. */
static void
settle(unsigned job)
{
	cpu_set_t allowed, mine;
	unsigned skip;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return;
	skip = job % (unsigned)CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || skip-- > 0)
			continue;
		CPU_ZERO(&mine);
		CPU_SET(cpu, &mine);
		/* Where that fails, the scheduler decides. */
		(void)sched_setaffinity(0, sizeof(mine), &mine);
		return;
	}
}

static int
work(struct campaign *c, unsigned job)
{
	struct ebpf_err *err = &c->jobs[job].err;
	uint64_t first, n;
	void *state;
	int rc;

	settle(job);
	if ((rc = c->oracle->open(&state, err)) < 0)
		return rc;
	while (c->jobs[job].tally.n_differences == 0 && take_block(c, &first, &n)) {
		c->jobs[job].block = first;
		rc = diff_compare(c->oracle, state, c->seed, first, n, &c->jobs[job].tally, stdout,
				  err);
		if (rc < 0)
			break;
		c->jobs[job].block = NO_BLOCK;
	}
	c->oracle->close(state);
	/* One difference, or a broken oracle, and the campaign is over. */
	if (rc < 0 || c->jobs[job].tally.n_differences > 0)
		atomic_store(&c->is_stopped, true);
	return rc;
}

static void
run(struct campaign *c)
{
	for (unsigned job = 0; job < c->n_jobs; job++) {
		pid_t pid;

		c->jobs[job].block = NO_BLOCK;
		pid = fork();
		if (pid == 0) {
			c->jobs[job].rc = work(c, job);
			fflush(stdout);
			_exit(0);
		}
		if (pid < 0)
			c->jobs[job].rc = -errno;
	}
	/* An interruption reaches the workers too, which finish what they have. */
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

/* Oracles of which a frame is a journey. */
static bool
is_slow(const struct diff_oracle *oracle)
{
	return oracle == &diff_oracle_kernel || oracle == &diff_oracle_socket;
}

static int
summarise(struct campaign *c)
{
	struct diff_tally sum = { 0 };
	uint64_t done = atomic_load(&c->next) < c->end ? atomic_load(&c->next) : c->end;
	bool is_complete = true;

	for (unsigned job = 0; job < c->n_jobs; job++) {
		diff_tally_add(&sum, &c->jobs[job].tally);
		if (c->jobs[job].rc < 0) {
			printf("FAILED: %s\n", c->jobs[job].err.text);
			is_complete = false;
		}
		/* Not finished: the oracle failed, or the process died. */
		if (c->jobs[job].block != NO_BLOCK) {
			is_complete = false;
			if (c->jobs[job].rc == 0)
				printf("FAILED: process %u died\n", job);
			done = c->jobs[job].block < done ? c->jobs[job].block : done;
		}
	}
	diff_tally_print(&sum, stdout);
	if (sum.n_pairs >= 1000000 || (is_slow(c->oracle) && sum.n_pairs >= 40000))
		is_complete = diff_tally_suffices(&sum, c->oracle->dialect, stdout) && is_complete;
	printf("next: make differential ORACLE=%s SEED=%" PRIu64 " OFFSET=%" PRIu64 "\n",
	       c->oracle->name, c->seed, done * DIFF_PACKETS);
	return sum.n_differences == 0 && is_complete ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool
parse(char **argv, struct campaign *c)
{
	static const struct diff_oracle *const oracles[] = {
#ifdef HAVE_PCAP
		&diff_oracle_pcap,
#endif
		&diff_oracle_kernel,
		&diff_oracle_socket,
		&diff_oracle_reference,
		&diff_oracle_reference_kernel,
	};
	uint64_t numbers[4];

	for (size_t i = 0; i < N_ELEMS(oracles); i++) {
		if (strcmp(argv[1], oracles[i]->name) == 0)
			c->oracle = oracles[i];
	}
	for (size_t i = 0; i < N_ELEMS(numbers); i++) {
		char *end;

		errno = 0;
		numbers[i] = strtoull(argv[2 + i], &end, 0);
		if (errno != 0 || *end != '\0' || end == argv[2 + i])
			return false;
	}
	c->seed = numbers[1];
	c->first = numbers[2] / DIFF_PACKETS;
	c->end = c->first + (numbers[0] + DIFF_PACKETS - 1) / DIFF_PACKETS;
	c->n_jobs = numbers[3] < 1 ? 1 : numbers[3] > MAX_JOBS ? MAX_JOBS : (unsigned)numbers[3];
	atomic_init(&c->next, c->first);
	return c->oracle != NULL && numbers[0] > 0;
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop, .sa_flags = SA_RESTART };

	campaign = mmap(NULL, sizeof(*campaign), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (campaign == MAP_FAILED) {
		perror("differential");
		return EXIT_FAILURE;
	}
	if (argc != 6 || !parse(argv, campaign)) {
		fprintf(stderr, "usage: differential ORACLE PAIRS SEED OFFSET JOBS, ORACLE pcap, kernel, "
				"reference or reference-kernel\n");
		return 2;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	printf("oracle %s, seed %" PRIu64 ", pairs %" PRIu64 " and following, %u processes\n",
	       campaign->oracle->name, campaign->seed, campaign->first * DIFF_PACKETS,
	       campaign->n_jobs);
	fflush(stdout);
	run(campaign);
	return summarise(campaign);
}
