/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Usage: files BPFSIFT DIRECTORY GIGABYTES [THREADS]
 *
 * Filtering a capture that is in the page cache, at four selectivities: tcpdump,
 * BPFSIFT with 1 to THREADS threads (default: the processors allowed), a loop of
 * read(2) by as many threads, and cp, one after the other in each of the rounds.
 * Medians are printed, and ratios to tcpdump's and the loop's.  What bpfsift writes
 * is compared with what tcpdump writes, byte by byte, before anything is timed.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/packets.h"

enum { ROUNDS = 5, MAX_THREADS = 16, MAX_RUNNERS = 2 * MAX_THREADS + 2, N_PACKETS = 65536 };
enum { FILE_HEADER = 24, RECORD_HEADER = 16, BLOCK = 128 << 10 };

static const struct {
	const char *percent, *expression;
} filters[] = {
	{ "0", "udp port 9" },
	{ "5", "tcp port 22" },
	{ "50", "ip and tcp or ip6 and not udp" },
	{ "100", "ether[0] & 1 = 0" },
};

enum kind { TCPDUMP, BPFSIFT, LOOP, CP };

struct figure {
	double wall, user, sys; /* seconds */
};

struct runner {
	enum kind kind;
	unsigned threads;
	char name[32], out[512];
	struct figure figures[ROUNDS];
};

struct bench {
	const char *bpfsift;
	char in[512];
	uint64_t n_bytes, n_packets;
	struct runner runners[MAX_RUNNERS];
	size_t n_runners;
};

__attribute__((noreturn, format(printf, 1, 2))) static void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("files: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(EXIT_FAILURE);
}

/* ---- the capture ---- */

static void
put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void
write_all(FILE *to, const void *bytes, size_t n, const char *path)
{
	if (fwrite(bytes, 1, n, to) != n)
		die("%s: %s", path, strerror(errno));
}

/* The same packets again and again, a microsecond apart. */
static void
make_capture(struct bench *b, uint64_t n_bytes)
{
	static const uint32_t header[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1 };
	uint8_t record[RECORD_HEADER];
	struct packets packets;
	FILE *to = fopen(b->in, "wb");

	if (to == NULL || packets_make(&packets, N_PACKETS, 1) < 0)
		die("%s: %s", b->in, strerror(errno));
	write_all(to, header, sizeof(header), b->in);
	b->n_bytes = sizeof(header);
	while (b->n_bytes < n_bytes) {
		const struct sift_view *view = &packets.views[b->n_packets % packets.n];

		put32(record, 1700000000 + (uint32_t)(b->n_packets / 1000000));
		put32(record + 4, (uint32_t)(b->n_packets % 1000000));
		put32(record + 8, view->caplen);
		put32(record + 12, view->wirelen);
		write_all(to, record, sizeof(record), b->in);
		write_all(to, view->data, view->caplen, b->in);
		b->n_bytes += sizeof(record) + view->caplen;
		b->n_packets++;
	}
	if (fclose(to) != 0)
		die("%s: %s", b->in, strerror(errno));
	packets_free(&packets);
}

/* ---- one run, in a process of its own ---- */

struct share {
	pthread_t thread;
	const struct bench *bench;
	unsigned number, of;
};

/* Every of-th block of the file. */
static void *
read_share(void *cookie)
{
	const struct share *share = cookie;
	uint64_t at = (uint64_t)share->number * BLOCK, step = (uint64_t)share->of * BLOCK;
	char *block = malloc(BLOCK);
	int fd = open(share->bench->in, O_RDONLY | O_CLOEXEC);

	if (block == NULL || fd < 0)
		die("%s: %s", share->bench->in, strerror(errno));
	for (; at < share->bench->n_bytes; at += step) {
		if (pread(fd, block, BLOCK, (off_t)at) < 0)
			die("%s: %s", share->bench->in, strerror(errno));
	}
	close(fd);
	free(block);
	return NULL;
}

static void
read_loop(const struct bench *b, unsigned threads)
{
	struct share shares[MAX_THREADS];

	for (unsigned i = 0; i < threads; i++) {
		shares[i] = (struct share){ .bench = b, .number = i, .of = threads };
		if (pthread_create(&shares[i].thread, NULL, read_share, &shares[i]) != 0)
			die("no thread: %s", strerror(errno));
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(shares[i].thread, NULL);
}

__attribute__((noreturn)) static void
become(const struct bench *b, const struct runner *r, const char *expression)
{
	char threads[32];
	int null;

	snprintf(threads, sizeof(threads), "--threads=%u", r->threads);
	if (r->kind == LOOP) {
		read_loop(b, r->threads);
		_exit(0);
	}
	if ((null = open("/dev/null", O_WRONLY)) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(126);
	switch (r->kind) {
	case TCPDUMP:
		/* as root it would become another user, who may not write here */
		if (geteuid() == 0)
			execlp("tcpdump", "tcpdump", "-Z", "root", "-r", b->in, "-w", r->out,
			       expression, (char *)NULL);
		else
			execlp("tcpdump", "tcpdump", "-r", b->in, "-w", r->out, expression,
			       (char *)NULL);
		break;
	case BPFSIFT:
		execl(b->bpfsift, "bpfsift", threads, "-r", b->in, "-w", r->out, expression,
		      (char *)NULL);
		break;
	case CP:
		execlp("cp", "cp", b->in, r->out, (char *)NULL);
		break;
	case LOOP:
		break;
	}
	_exit(127);
}

static double
seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct figure
run(const struct bench *b, const struct runner *r, const char *expression)
{
	struct rusage usage;
	double start;
	int status;
	pid_t pid;

	/* each makes its file anew, none pays for giving back the old one's pages */
	unlink(r->out);
	start = now();
	pid = fork();
	if (pid == 0)
		become(b, r, expression);
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
		die("%s: %s", r->name, strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die("%s failed with status %d", r->name, status);
	return (struct figure){ now() - start, seconds(usage.ru_utime), seconds(usage.ru_stime) };
}

/* ---- comparing ---- */

static bool
same_files(const char *left, const char *right)
{
	static char a[BLOCK], b[BLOCK];
	FILE *l = fopen(left, "rb"), *r = fopen(right, "rb");
	size_t n = 0, m = 0;
	bool same = l != NULL && r != NULL;

	while (same && (n = fread(a, 1, sizeof(a), l)) > 0) {
		m = fread(b, 1, sizeof(b), r);
		same = n == m && memcmp(a, b, n) == 0;
	}
	same = same && fgetc(r) == EOF && !ferror(l) && !ferror(r);
	if (l != NULL)
		fclose(l);
	if (r != NULL)
		fclose(r);
	return same;
}

static void
compare_outputs(struct bench *b, const char *expression)
{
	for (size_t i = 0; i < b->n_runners; i++) {
		const struct runner *r = &b->runners[i];

		if (r->kind != TCPDUMP && r->kind != BPFSIFT)
			continue;
		run(b, r, expression);
		if (r->kind == BPFSIFT) {
			if (!same_files(b->runners[0].out, r->out))
				die("'%s': %s and tcpdump differ: see %s and %s", expression,
				    r->name, r->out, b->runners[0].out);
			unlink(r->out);
		}
	}
}

/* ---- the table ---- */

static int
by_wall(const void *left, const void *right)
{
	const struct figure *l = left, *r = right;

	return l->wall < r->wall ? -1 : l->wall > r->wall;
}

static void
print_runner(const struct bench *b, const struct runner *r, const struct figure *tcpdump)
{
	const struct figure *median = &r->figures[ROUNDS / 2];
	double loop = 0;

	for (size_t i = 0; i < b->n_runners; i++) {
		const struct runner *each = &b->runners[i];

		if (each->kind == LOOP && each->threads == r->threads)
			loop = each->figures[ROUNDS / 2].wall;
	}
	printf("  %-20s %7.3f  %6.2f  %8.2f  %6.3f %6.3f  %8.2f  %8.2f\n", r->name, median->wall,
	       (double)b->n_bytes / 1e9 / median->wall, (double)b->n_packets / 1e6 / median->wall,
	       median->user, median->sys, tcpdump->wall / median->wall, median->wall / loop);
}

static void
bench(struct bench *b, size_t filter)
{
	compare_outputs(b, filters[filter].expression);
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < b->n_runners; i++) {
			struct runner *r = &b->runners[i];

			r->figures[round] = run(b, r, filters[filter].expression);
			unlink(r->out);
		}
	}
	printf("\n%s %%: %s\n  %-20s %7s  %6s  %8s  %6s %6s  %8s  %8s\n", filters[filter].percent,
	       filters[filter].expression, "", "s", "GB/s", "Mpkt/s", "user", "sys",
	       "tcpdump/", "/loop");
	for (size_t i = 0; i < b->n_runners; i++)
		qsort(b->runners[i].figures, ROUNDS, sizeof(struct figure), by_wall);
	for (size_t i = 0; i < b->n_runners; i++)
		print_runner(b, &b->runners[i], &b->runners[0].figures[ROUNDS / 2]);
	fflush(stdout);
}

static void
add_runner(struct bench *b, enum kind kind, unsigned threads, const char *directory)
{
	static const char *const names[] = { "tcpdump", "bpfsift", "read loop", "cp" };
	struct runner *r = &b->runners[b->n_runners++];

	r->kind = kind;
	r->threads = threads;
	snprintf(r->out, sizeof(r->out), "%s/bpfsift-bench-out-%zu.pcap", directory, b->n_runners);
	if (kind == TCPDUMP || kind == CP)
		snprintf(r->name, sizeof(r->name), "%s", names[kind]);
	else
		snprintf(r->name, sizeof(r->name), "%s, %u thread%s", names[kind], threads,
			 threads == 1 ? "" : "s");
}

static unsigned
processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

int
main(int argc, char **argv)
{
	static struct bench b;
	unsigned threads = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : processors();
	double gigabytes = argc > 3 ? strtod(argv[3], NULL) : 0;

	if (gigabytes <= 0 || gigabytes > 1000 || threads == 0) {
		fputs("usage: files BPFSIFT DIRECTORY GIGABYTES [THREADS]\n", stderr);
		return 2;
	}
	threads = threads < MAX_THREADS ? threads : MAX_THREADS;
	b.bpfsift = argv[1];
	snprintf(b.in, sizeof(b.in), "%s/bpfsift-bench-in.pcap", argv[2]);
	add_runner(&b, TCPDUMP, 1, argv[2]);
	for (unsigned i = 1; i <= threads; i++)
		add_runner(&b, BPFSIFT, i, argv[2]);
	for (unsigned i = 1; i <= threads; i++)
		add_runner(&b, LOOP, i, argv[2]);
	add_runner(&b, CP, 1, argv[2]);
	make_capture(&b, (uint64_t)(gigabytes * 1e9));
	printf("%s: %.2f GB, %.2f million packets, medians of %d rounds\n", b.in,
	       (double)b.n_bytes / 1e9, (double)b.n_packets / 1e6, ROUNDS);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		bench(&b, i);
	unlink(b.in);
	for (size_t i = 0; i < b.n_runners; i++)
		unlink(b.runners[i].out);
	return 0;
}
