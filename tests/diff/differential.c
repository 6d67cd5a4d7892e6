/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * differential ORACLE PAIRS SEED OFFSET JOBS: the comparison of the suites at any
 * length, on as many processes as asked for.  The same seed and offset give the
 * same pairs; at the end, or when interrupted, it says from where to go on.
 *
 * ORACLE all: one oracle after the other, each its share of the pairs, those that are
 * slow to ask a small one.
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

/* Oracles, and of how many pairs of a campaign of all each gets one. */
static const struct share {
	const struct diff_oracle *oracle;
	uint64_t one_in; /* 0: none */
} shares[] = {
#ifdef HAVE_PCAP
	{ &diff_oracle_pcap, 1 },
	{ &diff_oracle_reference, 0 },
#else
	{ &diff_oracle_reference, 1 },
#endif
	{ &diff_oracle_reference_kernel, 10 },
	/* the running kernel: one in 50 together */
	{ &diff_oracle_kernel, 200 },
	{ &diff_oracle_socket, 200 },
	{ &diff_oracle_tc, 400 },
	{ &diff_oracle_tc_pcap, 400 },
	{ &diff_oracle_xdp, 400 },
	{ &diff_oracle_xdp_pcap, 400 },
};

/* What was asked for. */
struct request {
	const char *oracle; /* "all", or a name */
	uint64_t n_pairs, seed, offset;
	unsigned n_jobs;
};

/* What the processes share, of one oracle after the other. */
struct campaign {
	const struct diff_oracle *oracle;
	uint64_t seed, first, end; /* cases */
	_Atomic uint64_t next;     /* blocks are handed out in order, and finished */
	atomic_bool is_stopped;
	atomic_bool is_interrupted;
	unsigned n_jobs;
	struct {
		struct diff_tally tally;
		uint64_t block; /* under way; NO_BLOCK: none */
		uint64_t at;    /* the case of it */
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
	atomic_store(&campaign->is_interrupted, true);
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
	if ((rc = diff_oracle_open(c->oracle, &state, err)) < 0)
		return rc;
	while (c->jobs[job].tally.n_differences == 0 && take_block(c, &first, &n)) {
		c->jobs[job].block = first;
		for (uint64_t i = 0; i < n && rc == 0; i++) {
			c->jobs[job].at = first + i;
			rc = diff_compare(c->oracle, state, c->seed, first + i, 1,
					  &c->jobs[job].tally, stdout, err);
		}
		if (rc < 0)
			break;
		c->jobs[job].block = NO_BLOCK;
	}
	diff_oracle_close(c->oracle, state);
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

/* Whether so many pairs should have shown all that an oracle can be shown. */
static bool
is_enough(const struct diff_oracle *oracle, uint64_t n_pairs)
{
	return n_pairs >= 1000000 ||
	       (oracle->is_kernel && !oracle->tells_match && n_pairs >= 40000);
}

/* Not for this machine: in a campaign of all, others are. */
static bool
is_unavailable(const struct campaign *c)
{
	return c->jobs[0].rc == -EPERM || c->jobs[0].rc == -EOPNOTSUPP;
}

/* What a process that ended badly says; the block that it had is to be done again. */
static void
print_failure(const struct campaign *c, unsigned job)
{
	if (c->jobs[job].rc < 0)
		printf("FAILED: %s\n", c->jobs[job].err.text);
	else
		printf("FAILED: process %u died\n", job);
	if (c->jobs[job].block != NO_BLOCK)
		printf("repeat: make differential ORACLE=%s SEED=%" PRIu64 " OFFSET=%" PRIu64
		       " PAIRS=%d JOBS=1\n",
		       c->oracle->name, c->seed, c->jobs[job].at * DIFF_PACKETS, DIFF_PACKETS);
}

/* Add to the sum; whether the oracle's part came to its end without a difference. */
static bool
summarise(struct campaign *c, struct diff_tally *sum)
{
	uint64_t done = atomic_load(&c->next) < c->end ? atomic_load(&c->next) : c->end;
	bool is_complete = done == c->end || atomic_load(&c->is_interrupted);

	for (unsigned job = 0; job < c->n_jobs; job++) {
		diff_tally_add(sum, &c->jobs[job].tally);
		if (c->jobs[job].rc == 0 && c->jobs[job].block == NO_BLOCK)
			continue;
		is_complete = false;
		print_failure(c, job);
		if (c->jobs[job].block < done)
			done = c->jobs[job].block;
	}
	diff_tally_print(sum, stdout);
	if (is_enough(c->oracle, sum->n_pairs))
		is_complete = diff_tally_suffices(sum,
						  c->oracle->tells_match ? CBPF_DIALECT_PCAP
									 : c->oracle->dialect,
						  stdout) &&
			      is_complete;
	printf("next: make differential ORACLE=%s SEED=%" PRIu64 " OFFSET=%" PRIu64 "\n\n",
	       c->oracle->name, c->seed, done * DIFF_PACKETS);
	fflush(stdout);
	return sum->n_differences == 0 && is_complete;
}

/* An oracle's part of what was asked for. */
static bool
run_share(const struct request *request, const struct diff_oracle *oracle, uint64_t one_in,
	  struct diff_tally *sum)
{
	struct campaign *c = campaign;
	uint64_t step = one_in * DIFF_PACKETS;

	memset(c->jobs, 0, sizeof(c->jobs));
	memset(sum, 0, sizeof(*sum));
	c->oracle = oracle;
	c->seed = request->seed;
	c->first = request->offset / step;
	c->end = c->first + (request->n_pairs + step - 1) / step;
	c->n_jobs = request->n_jobs;
	atomic_store(&c->next, c->first);
	printf("oracle %s, seed %" PRIu64 ", pairs %" PRIu64 " and following, %u processes\n",
	       oracle->name, c->seed, c->first * DIFF_PACKETS, c->n_jobs);
	fflush(stdout);
	run(c);
	if (one_in > 1 && is_unavailable(c)) {
		printf("SKIPPED: %s: %s\n\n", oracle->name, c->jobs[0].err.text);
		return true;
	}
	return summarise(c, sum);
}

/* Exit status 1: a difference, or somebody was not to be asked. */
static int
run_all(const struct request *request)
{
	uint64_t n_user = 0, n_kernel = 0, n_differences = 0, n_oracles = 0;
	bool is_complete = true, is_all = strcmp(request->oracle, "all") == 0;

	for (size_t i = 0; i < N_ELEMS(shares) && !atomic_load(&campaign->is_stopped); i++) {
		static struct diff_tally sum;
		const struct diff_oracle *oracle = shares[i].oracle;

		if (is_all ? shares[i].one_in == 0 : strcmp(request->oracle, oracle->name) != 0)
			continue;
		n_oracles++;
		if (!run_share(request, oracle, is_all ? shares[i].one_in : 1, &sum))
			is_complete = false;
		*(oracle->is_kernel ? &n_kernel : &n_user) += sum.n_pairs;
		n_differences += sum.n_differences;
	}
	if (n_oracles == 0)
		return 2;
	printf("%" PRIu64 " pairs in user space, %" PRIu64 " with the running kernel, %" PRIu64
	       " differences%s\n",
	       n_user, n_kernel, n_differences,
	       atomic_load(&campaign->is_interrupted) ? "; interrupted" : "");
	if (is_all && is_complete && !atomic_load(&campaign->is_interrupted))
		printf("next: make differential SEED=%" PRIu64 " OFFSET=%" PRIu64 "\n",
		       request->seed, request->offset + request->n_pairs);
	return is_complete && n_differences == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool
parse(char **argv, struct request *request)
{
	uint64_t numbers[4];

	for (size_t i = 0; i < N_ELEMS(numbers); i++) {
		char *end;

		errno = 0;
		numbers[i] = strtoull(argv[2 + i], &end, 0);
		if (errno != 0 || *end != '\0' || end == argv[2 + i])
			return false;
	}
	request->oracle = argv[1];
	request->n_pairs = numbers[0];
	request->seed = numbers[1];
	request->offset = numbers[2];
	request->n_jobs = numbers[3] < 1          ? 1
			  : numbers[3] > MAX_JOBS ? MAX_JOBS
						  : (unsigned)numbers[3];
	return request->n_pairs > 0;
}

static int
usage(void)
{
	fprintf(stderr, "usage: differential ORACLE PAIRS SEED OFFSET JOBS, ORACLE all");
	for (size_t i = 0; i < N_ELEMS(shares); i++)
		fprintf(stderr, "%s%s", i + 1 < N_ELEMS(shares) ? ", " : " or ",
			shares[i].oracle->name);
	fprintf(stderr, "\n");
	return 2;
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop, .sa_flags = SA_RESTART };
	struct request request;
	int status;

	campaign = mmap(NULL, sizeof(*campaign), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (campaign == MAP_FAILED) {
		perror("differential");
		return EXIT_FAILURE;
	}
	if (argc != 6 || !parse(argv, &request))
		return usage();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	status = run_all(&request);
	return status == 2 ? usage() : status;
}
