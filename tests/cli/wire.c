/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for a wire, each a function of its number alone, and what came of them.
 *
 *	wire send INTERFACE N RATE      send frames 0 ... N - 1, RATE a second (0: as fast as
 *	                                it goes)
 *	wire check FILE N               a savefile has such frames as match, in order, unchanged
 *
 * A frame matches 'udp dst port 53 or vlan 42'.  Both print one line of
 * NAME=NUMBER for a shell to read.
 */
#include "config.h" /* system extensions: sendmmsg() */

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { N_KINDS = 8, MOST_BYTES = 256, N_TOGETHER = 64, MACS = 12 };

struct frame {
	uint8_t bytes[MOST_BYTES];
	uint32_t len;
};

/* What is between the addresses and the IP header, and what that is of. */
static const struct {
	uint8_t tags[8], n_tags;
	uint16_t type;
	uint8_t protocol;
	uint16_t fragment, port;
	bool matches;
} kinds[N_KINDS] = {
	{ { 0 }, 0, 0x800, 17, 0, 53, true },
	{ { 0 }, 0, 0x800, 17, 0, 54, false },
	{ { 0x81, 0, 0, 42 }, 4, 0x800, 17, 0, 54, true },
	{ { 0x81, 0, 0, 7 }, 4, 0x800, 17, 0, 54, false },
	{ { 0 }, 0, 0x800, 6, 0, 53, false },
	{ { 0x88, 0xa8, 0x20, 42, 0x81, 0, 0, 7 }, 8, 0x800, 17, 0, 53, true },
	{ { 0 }, 0, 0x88b5, 17, 0, 53, false },
	{ { 0 }, 0, 0x800, 17, 100, 53, false },
};

static void
put16(struct frame *f, unsigned v)
{
	f->bytes[f->len++] = (uint8_t)(v >> 8);
	f->bytes[f->len++] = (uint8_t)v;
}

/* The number is in the last four bytes; the length depends on it too. */
static void
make(struct frame *f, uint32_t number)
{
	static const uint8_t macs[MACS] = { 2, 0, 0, 0, 0, 0x0b, 2, 0, 0, 0, 0, 0x0a };
	static const uint8_t addresses[8] = { 192, 0, 2, 1, 192, 0, 2, 2 };
	unsigned kind = number % N_KINDS, payload = 20 + number / N_KINDS % 61;

	memcpy(f->bytes, macs, MACS);
	memcpy(f->bytes + MACS, kinds[kind].tags, sizeof(kinds[kind].tags));
	f->len = MACS + kinds[kind].n_tags;
	put16(f, kinds[kind].type);
	put16(f, 0x4500);
	put16(f, 28 + payload);
	put16(f, number & 0xffff);
	put16(f, kinds[kind].fragment);
	put16(f, 0x4000u | kinds[kind].protocol);
	put16(f, 0);
	memcpy(f->bytes + f->len, addresses, sizeof(addresses));
	f->len += sizeof(addresses);
	put16(f, 40000);
	put16(f, kinds[kind].port);
	put16(f, 8 + payload);
	put16(f, 0);
	memset(f->bytes + f->len, (int)(number & 0xff), payload);
	f->len += payload - 4;
	put16(f, number >> 16);
	put16(f, number & 0xffff);
}

static bool
matches(uint32_t number)
{
	return kinds[number % N_KINDS].matches;
}

static int
fail(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

/* ---- sending ---- */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
sleep_until(double when)
{
	double left = when - now();

	if (left > 0)
		nanosleep(&(struct timespec){ .tv_sec = (time_t)left,
					      .tv_nsec = (long)(1e9 * (left - (time_t)left)) },
			  NULL);
}

/* Each frame in a message of its own; 0, or -1 with errno. */
static int
send_all(int fd, uint32_t n, double rate)
{
	static struct frame frames[N_TOGETHER];
	struct mmsghdr messages[N_TOGETHER];
	struct iovec pieces[N_TOGETHER];
	double begin = now();
	uint32_t next = 0;

	memset(messages, 0, sizeof(messages));
	while (next < n) {
		unsigned n_now = n - next < N_TOGETHER ? n - next : N_TOGETHER, n_sent = 0;

		for (unsigned i = 0; i < n_now; i++) {
			make(&frames[i], next + i);
			pieces[i] = (struct iovec){ frames[i].bytes, frames[i].len };
			messages[i].msg_hdr.msg_iov = &pieces[i];
			messages[i].msg_hdr.msg_iovlen = 1;
		}
		while (n_sent < n_now) {
			int sent = sendmmsg(fd, messages + n_sent, n_now - n_sent, 0);

			/* No room right now: nothing of that one was sent. */
			if (sent < 0 && errno != ENOBUFS && errno != EINTR)
				return -1;
			if (sent > 0)
				n_sent += (unsigned)sent;
		}
		next += n_now;
		if (rate > 0)
			sleep_until(begin + next / rate);
	}
	return 0;
}

static int
send_frames(const char *interface, uint32_t n, double rate)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	uint32_t n_match = 0;
	double begin = now();
	struct rusage used;

	addr.sll_ifindex = (int)if_nametoindex(interface);
	if (addr.sll_ifindex == 0 || fd < 0 ||
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 || send_all(fd, n, rate) < 0)
		return fail(interface);
	close(fd);
	for (uint32_t i = 0; i < n; i++)
		n_match += matches(i);
	getrusage(RUSAGE_SELF, &used);
	printf("sent=%lu matching=%lu per_second=%.0f sender_ns=%.0f\n", (unsigned long)n,
	       (unsigned long)n_match, n / (now() - begin),
	       (1e9 * (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		1e3 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec)) /
		       n);
	return EXIT_SUCCESS;
}

/* ---- what came ---- */

/* The records of a savefile of this machine's byte order; 0, or -1 at the first that is wrong. */
static int
check_records(FILE *file, uint32_t n, unsigned long *n_good)
{
	struct {
		uint32_t sec, frac, caplen, len;
	} head;
	struct frame have, want;
	uint32_t next = 0; /* no number below it any more */

	while (fread(&head, sizeof(head), 1, file) == 1) {
		uint32_t number = 0;

		if (head.caplen > MOST_BYTES || head.caplen < 4 || head.len != head.caplen ||
		    fread(have.bytes, head.caplen, 1, file) != 1)
			return -1;
		for (unsigned i = 4; i > 0; i--)
			number = number << 8 | have.bytes[head.caplen - i];
		make(&want, number);
		if (number < next || number >= n || !matches(number) || want.len != head.caplen ||
		    memcmp(want.bytes, have.bytes, want.len) != 0)
			return -1;
		next = number + 1;
		++*n_good;
	}
	return ferror(file) ? -1 : 0;
}

static int
check_file(const char *path, uint32_t n)
{
	FILE *file = fopen(path, "rb");
	unsigned long n_good = 0;
	uint8_t head[24];
	bool is_wrong;

	if (file == NULL || fread(head, sizeof(head), 1, file) != 1)
		return fail(path);
	is_wrong = check_records(file, n, &n_good) < 0;
	printf("good=%lu wrong=%d\n", n_good, is_wrong);
	fclose(file);
	return is_wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "send") == 0)
		return send_frames(argv[2], (uint32_t)strtoul(argv[3], NULL, 10),
				   strtod(argv[4], NULL));
	if (argc == 4 && strcmp(argv[1], "check") == 0)
		return check_file(argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
	fputs("usage: wire send INTERFACE N RATE | wire check FILE N\n", stderr);
	return EXIT_FAILURE;
}
