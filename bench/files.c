/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Usage: files BPFSIFT DIRECTORY GIGABYTES [THREADS]
 *
 * Filtering a capture that is in the page cache, at four selectivities: tcpdump,
 * BPFSIFT with 1 to THREADS threads (default: the processors allowed), a loop of
 * pread(2) by as many threads, one of pread(2) and pwrite(2) of as much as is kept, which
 * looks at nothing, and cp, one after the other in each of the rounds.
 * Medians are printed, and ratios to tcpdump's and the loop's.  What bpfsift writes
 * is compared with what tcpdump writes, byte by byte, before anything is timed.
 *
 * Then its first packets in many small files; the same capture compressed, beside what
 * decompresses it into /dev/null; and sixteen of it through a pipe, for the memory that takes.
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

enum { ROUNDS = 5, MAX_THREADS = 16, MAX_RUNNERS = 3 * MAX_THREADS + 2, N_PACKETS = 65536 };
enum { FILE_HEADER = 24, RECORD_HEADER = 16, BLOCK = 128 << 10, COPIED = 256 << 10 };

static const struct {
	const char *percent, *expression;
} filters[] = {
	{ "0 %", "udp port 9" },
	{ "5 %", "tcp port 22" },
	{ "50 %", "ip and tcp or ip6 and not udp" },
	{ "100 %", "ether[0] & 1 = 0" },
};

enum kind { TCPDUMP, BPFSIFT, LOOP, COPY, CP, UNPACK };
enum { N_PIPED = 16 };
enum { MANY = 10000, SMALL = 10000 }; /* files, and bytes of each at least */

struct figure {
	double wall, user, sys; /* seconds */
	double rss;             /* megabytes at most */
};

struct runner {
	enum kind kind;
	unsigned threads;
	char name[32], in[512], out[512];
	const char *unpacker;
	struct figure figures[ROUNDS];
};

struct bench {
	const char *bpfsift;
	char in[512];
	const char *option; /* how that is read: -r, or -V */
	uint64_t n_bytes, n_packets;
	double kept; /* of the bytes, a part */
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

/* Half of the packets have contents that no compressor makes much of. */
static void
fill(struct packets *packets)
{
	uint64_t state = 1;

	for (size_t i = 0; i < packets->n; i += 2) {
		/* the views are of these bytes, which are the caller's */
		uint8_t *p = packets->bytes + (packets->views[i].data - packets->bytes);

		for (size_t k = 96; k < packets->views[i].caplen; k++) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			p[k] = (uint8_t)(state >> 56);
		}
	}
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
	fill(&packets);
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
	const struct runner *runner;
	unsigned number;
	int out; /* where what is kept goes; -1: nowhere */
};

static uint64_t
kept_of(const struct bench *b, uint64_t n)
{
	return (uint64_t)((double)n * b->kept);
}

/* Of as many blocks as there are threads, one. */
static void *
move_share(void *cookie)
{
	const struct share *share = cookie;
	const struct bench *b = share->bench;
	size_t size = share->out >= 0 ? COPIED : BLOCK;
	uint64_t at = (uint64_t)share->number * size, step = share->runner->threads * size;
	char *block = malloc(size);
	int in = open(b->in, O_RDONLY | O_CLOEXEC);

	if (block == NULL || in < 0)
		die("%s: %s", b->in, strerror(errno));
	for (; at < b->n_bytes; at += step) {
		ssize_t n = pread(in, block, size, (off_t)at);
		uint64_t to = kept_of(b, at);
		size_t some;

		if (n < 0)
			die("%s: %s", b->in, strerror(errno));
		some = (size_t)(kept_of(b, at + (uint64_t)n) - to);
		if (share->out >= 0 && pwrite(share->out, block, some, (off_t)to) != (ssize_t)some)
			die("%s: %s", share->runner->out, strerror(errno));
	}
	close(in);
	free(block);
	return NULL;
}

static void
move_all(const struct bench *b, const struct runner *r, int out)
{
	struct share shares[MAX_THREADS];

	for (unsigned i = 0; i < r->threads; i++) {
		shares[i] = (struct share){ .bench = b, .runner = r, .number = i, .out = out };
		if (pthread_create(&shares[i].thread, NULL, move_share, &shares[i]) != 0)
			die("no thread: %s", strerror(errno));
	}
	for (unsigned i = 0; i < r->threads; i++)
		pthread_join(shares[i].thread, NULL);
}

static void
copy_loop(const struct bench *b, const struct runner *r)
{
	int out = open(r->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (out < 0)
		die("%s: %s", r->out, strerror(errno));
	move_all(b, r, out);
	if (close(out) < 0)
		die("%s: %s", r->out, strerror(errno));
}

__attribute__((noreturn)) static void
become(const struct bench *b, const struct runner *r, const char *expression)
{
	char threads[32];
	int null;

	snprintf(threads, sizeof(threads), "--threads=%u", r->threads);
	if (r->kind == LOOP) {
		move_all(b, r, -1);
		_exit(0);
	}
	if (r->kind == COPY) {
		copy_loop(b, r);
		_exit(0);
	}
	if ((null = open("/dev/null", O_WRONLY)) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(126);
	switch (r->kind) {
	case TCPDUMP:
		/* as root it would become another user, who may not write here */
		if (geteuid() == 0)
			execlp("tcpdump", "tcpdump", "-Z", "root", b->option, r->in, "-w", r->out,
			       expression, (char *)NULL);
		else
			execlp("tcpdump", "tcpdump", b->option, r->in, "-w", r->out, expression,
			       (char *)NULL);
		break;
	case BPFSIFT:
		execl(b->bpfsift, "bpfsift", threads, b->option, r->in, "-w", r->out, expression,
		      (char *)NULL);
		break;
	case CP:
		execlp("cp", "cp", r->in, r->out, (char *)NULL);
		break;
	case UNPACK:
		if (dup2(null, STDOUT_FILENO) >= 0)
			execlp(r->unpacker, r->unpacker, "-dc", r->in, (char *)NULL);
		break;
	case LOOP:
	case COPY:
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
	if (strcmp(r->out, "/dev/null") != 0)
		unlink(r->out);
	start = now();
	pid = fork();
	if (pid == 0)
		become(b, r, expression);
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
		die("%s: %s", r->name, strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die("%s failed with status %d", r->name, status);
	return (struct figure){ now() - start, seconds(usage.ru_utime), seconds(usage.ru_stime),
				(double)usage.ru_maxrss / 1024 };
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

static double
length_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (double)st.st_size : 0;
}

static void
compare_outputs(struct bench *b, const char *expression)
{
	for (size_t i = 0; i < b->n_runners; i++) {
		const struct runner *r = &b->runners[i];

		if (b->runners[0].kind != TCPDUMP || (r->kind != TCPDUMP && r->kind != BPFSIFT))
			continue;
		run(b, r, expression);
		if (r->kind == TCPDUMP)
			b->kept = length_of(r->out) / (double)b->n_bytes;
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

static double
median_of(const struct bench *b, enum kind kind, unsigned threads)
{
	for (size_t i = 0; i < b->n_runners; i++)
		if (b->runners[i].kind == kind && b->runners[i].threads == threads)
			return b->runners[i].figures[ROUNDS / 2].wall;
	return 0;
}

static void
print_heading(const char *title, const char *expression, const char *first)
{
	printf("\n%s: %s\n  %-20s %7s  %6s  %8s  %6s %6s  %5s  %8s  %8s\n", title, expression, "",
	       "s", "GB/s", "Mpkt/s", "user", "sys", "MB", first, "/loop");
}

static void
print_figure(const struct bench *b, const char *name, const struct figure *figure, double n)
{
	printf("  %-20s %7.3f  %6.2f  %8.2f  %6.3f %6.3f  %5.1f", name, figure->wall,
	       n * (double)b->n_bytes / 1e9 / figure->wall,
	       n * (double)b->n_packets / 1e6 / figure->wall, figure->user, figure->sys,
	       figure->rss);
}

static void
print_runner(const struct bench *b, const struct runner *r)
{
	const struct figure *median = &r->figures[ROUNDS / 2];
	double loop = median_of(b, LOOP, r->threads);

	print_figure(b, r->name, median, 1);
	printf("  %8.2f", b->runners[0].figures[ROUNDS / 2].wall / median->wall);
	if (loop > 0)
		printf("  %8.2f", median->wall / loop);
	putchar('\n');
}

static void
bench(struct bench *b, const char *title, const char *expression)
{
	char first[32];

	compare_outputs(b, expression);
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < b->n_runners; i++) {
			struct runner *r = &b->runners[i];

			r->figures[round] = run(b, r, expression);
			unlink(r->out);
		}
	}
	for (size_t i = 0; i < b->n_runners; i++)
		qsort(b->runners[i].figures, ROUNDS, sizeof(struct figure), by_wall);
	snprintf(first, sizeof(first), "%.7s/", b->runners[0].name);
	print_heading(title, expression, first);
	for (size_t i = 0; i < b->n_runners; i++)
		print_runner(b, &b->runners[i]);
	fflush(stdout);
}

static struct runner *
add_runner(struct bench *b, enum kind kind, unsigned threads, const char *directory)
{
	static const char *const names[] = { "tcpdump",   "bpfsift", "read loop",
					     "copy loop", "cp",      "" };
	struct runner *r = &b->runners[b->n_runners++];

	r->kind = kind;
	r->threads = threads;
	snprintf(r->in, sizeof(r->in), "%s", b->in);
	snprintf(r->out, sizeof(r->out), "%s/bpfsift-bench-out-%zu.pcap", directory, b->n_runners);
	if (kind == TCPDUMP || kind == CP)
		snprintf(r->name, sizeof(r->name), "%s", names[kind]);
	else
		snprintf(r->name, sizeof(r->name), "%s, %u thread%s", names[kind], threads,
			 threads == 1 ? "" : "s");
	return r;
}

/* ---- many small files ---- */

/* Packets from the capture, SMALL bytes of them or more.  Whether there were so many. */
static bool
make_small(struct bench *b, FILE *from, const char *path)
{
	static uint8_t packet[1 << 18];
	static const uint32_t header[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1 };
	FILE *to = fopen(path, "wb");
	uint8_t record[RECORD_HEADER];
	size_t n = 0;

	if (to == NULL)
		die("%s: %s", path, strerror(errno));
	write_all(to, header, sizeof(header), path);
	while (n < SMALL && fread(record, sizeof(record), 1, from) == 1) {
		uint32_t caplen;

		memcpy(&caplen, record + 8, sizeof(caplen));
		if (caplen > sizeof(packet) || fread(packet, 1, caplen, from) != caplen)
			break;
		write_all(to, record, sizeof(record), path);
		write_all(to, packet, caplen, path);
		n += sizeof(record) + caplen;
		b->n_packets++;
	}
	if (fclose(to) != 0)
		die("%s: %s", path, strerror(errno));
	b->n_bytes += sizeof(header) + n;
	return n >= SMALL;
}

static void
bench_many(const struct bench *plain, const char *directory, unsigned threads)
{
	static struct bench b;
	char path[600], title[64];
	FILE *from = fopen(plain->in, "rb"), *list;
	unsigned n_files = 0;

	b = (struct bench){ .bpfsift = plain->bpfsift, .option = "-V" };
	snprintf(b.in, sizeof(b.in), "%s/bpfsift-bench-list", directory);
	list = fopen(b.in, "wb");
	if (from == NULL || list == NULL || fseek(from, FILE_HEADER, SEEK_SET) < 0)
		die("%s: %s", b.in, strerror(errno));
	do {
		snprintf(path, sizeof(path), "%s/bpfsift-bench-small-%u", directory, n_files++);
		fprintf(list, "%s\n", path);
	} while (make_small(&b, from, path) && n_files < MANY);
	fclose(from);
	if (fclose(list) != 0)
		die("%s: %s", b.in, strerror(errno));
	add_runner(&b, TCPDUMP, 1, directory);
	for (unsigned i = 1; i <= threads; i++)
		add_runner(&b, BPFSIFT, i, directory);
	snprintf(title, sizeof(title), "%u files", n_files);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		bench(&b, title, filters[i].expression);
	unlink(b.in);
	unlink(b.runners[0].out);
	while (n_files-- > 0) {
		snprintf(path, sizeof(path), "%s/bpfsift-bench-small-%u", directory, n_files);
		unlink(path);
	}
}

/* ---- compressed ---- */

/* Run a command of the shell, for which there is no haste.  Whether it went well. */
__attribute__((format(printf, 1, 2))) static bool
do_command(const char *fmt, ...)
{
	char command[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command) == 0;
}

/* A format, what compresses to it, and what decompresses, the best there is. */
static void
bench_compressed(const struct bench *plain, const char *directory, unsigned threads,
		 const char *packer, const char *const *unpackers)
{
	static struct bench b;

	b = (struct bench){ .bpfsift = plain->bpfsift,
			    .option = "-r",
			    .n_bytes = plain->n_bytes,
			    .n_packets = plain->n_packets };
	snprintf(b.in, sizeof(b.in), "%s/bpfsift-bench-in.pcap.%s", directory, packer);
	if (!do_command("%s -c %s >%s 2>/dev/null", packer, plain->in, b.in)) {
		printf("\n%s: no %s here\n", packer, packer);
		unlink(b.in);
		return;
	}
	for (; *unpackers != NULL; unpackers++) {
		struct runner *r;

		if (!do_command("%s --version >/dev/null 2>&1", *unpackers))
			continue;
		r = add_runner(&b, UNPACK, 1, directory);
		r->unpacker = *unpackers;
		snprintf(r->name, sizeof(r->name), "%s -dc", *unpackers);
	}
	for (unsigned i = 1; i <= threads; i++)
		add_runner(&b, BPFSIFT, i, directory);
	bench(&b, packer, filters[0].expression);
	unlink(b.in);
}

/* ---- a pipe ---- */

/* The capture's packets again and again. */
__attribute__((noreturn)) static void
feed(const struct bench *b, int to)
{
	char *block = malloc(BLOCK);
	ssize_t n = 0;

	for (int i = 0; block != NULL && i < N_PIPED; i++) {
		int fd = open(b->in, O_RDONLY);

		if (fd < 0 || (i > 0 && lseek(fd, FILE_HEADER, SEEK_SET) < 0))
			_exit(1);
		while ((n = read(fd, block, BLOCK)) > 0)
			for (ssize_t done = 0, put; done < n; done += put)
				if ((put = write(to, block + done, (size_t)(n - done))) < 0)
					_exit(1);
		close(fd);
	}
	_exit(0);
}

static void
bench_pipe(const struct bench *b, const char *expression)
{
	struct runner r = { .kind = BPFSIFT, .threads = 1, .in = "-", .out = "/dev/null" };
	struct figure figure;
	int fds[2], saved = dup(STDIN_FILENO);
	pid_t feeder;

	if (saved < 0 || pipe(fds) < 0 || (feeder = fork()) < 0)
		die("pipe: %s", strerror(errno));
	if (feeder == 0) {
		close(fds[0]);
		feed(b, fds[1]);
	}
	close(fds[1]);
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	figure = run(b, &r, expression);
	dup2(saved, STDIN_FILENO);
	close(saved);
	waitpid(feeder, NULL, 0);
	print_figure(b, expression, &figure, N_PIPED);
	putchar('\n');
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
	b.option = "-r";
	snprintf(b.in, sizeof(b.in), "%s/bpfsift-bench-in.pcap", argv[2]);
	add_runner(&b, TCPDUMP, 1, argv[2]);
	for (unsigned i = 1; i <= threads; i++)
		add_runner(&b, BPFSIFT, i, argv[2]);
	for (unsigned i = 1; i <= threads; i++)
		add_runner(&b, LOOP, i, argv[2]);
	for (unsigned i = 1; i <= threads; i++)
		add_runner(&b, COPY, i, argv[2]);
	add_runner(&b, CP, 1, argv[2]);
	make_capture(&b, (uint64_t)(gigabytes * 1e9));
	printf("%s: %.2f GB, %.2f million packets, medians of %d rounds\n", b.in,
	       (double)b.n_bytes / 1e9, (double)b.n_packets / 1e6, ROUNDS);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		bench(&b, filters[i].percent, filters[i].expression);
	bench_many(&b, argv[2], threads);
	bench_compressed(&b, argv[2], threads, "zstd", (const char *const[]){ "zstd", NULL });
	bench_compressed(&b, argv[2], threads, "gzip",
			 (const char *const[]){ "gzip", "pigz", NULL });
	print_heading("through a pipe", "16 times", "");
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		bench_pipe(&b, filters[i].expression);
	unlink(b.in);
	for (size_t i = 0; i < b.n_runners; i++)
		unlink(b.runners[i].out);
	return 0;
}
