/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel: frames go over a wire of our own (veth.c) to packet
 * sockets with the program attached, rewritten so that each socket delivers a
 * few bits of the verdict (chunk.h).
 *
 * One frame is under way at a time.  A further socket, the witness, accepts
 * everything, and is the last that the kernel gives a frame to, since packet
 * sockets are served youngest first: once the witness has it, the others have
 * had it, whether they accepted it or not.  The witness also tells how the
 * kernel sees the frame (VLAN tag taken off, packet type ...), which becomes
 * the view that our engine judges.
 */
#include "config.h" /* system extensions: sched_setaffinity() */

#include "tests/diff/compare.h"

#include "ebpf/err.h"
#include "tests/diff/chunk.h"
#include "tests/diff/kernel_prog.h"
#include "tests/diff/veth.h"
#include "tests/support/suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof(struct sock_filter) == sizeof(struct cbpf_insn) &&
		       offsetof(struct sock_filter, jt) == offsetof(struct cbpf_insn, jt) &&
		       offsetof(struct sock_filter, jf) == offsetof(struct cbpf_insn, jf) &&
		       offsetof(struct sock_filter, k) == offsetof(struct cbpf_insn, k),
	       "one layout");

#define MAX_SOCKETS 11
#define ARRIVAL_TIMEOUT_MS 10000
#define MAX_TRIES 20

/* Shorter ones are always taken. */
#define LONG_PROGRAM 500

/*
 * Bits that a frame's length can tell: 1 << width is at most the length.  Frames
 * of a few widths share their programs.
 */
static const unsigned widths[] = { 3, 5, 8 };

struct kernel {
	int sender;
	int witness;
	int sockets[MAX_SOCKETS];
	bool is_on[MAX_SOCKETS];
	int ifindex;
	uint32_t cpu;
	bool lowers;            /* the kernel gets what we make for target socket */
	uint64_t n_lowered;
	struct cbpf_insn rewritten[CBPF_MAXINSNS + CHUNK_TAIL];
};

static int
failed(struct ebpf_err *err, const char *what)
{
	int code = errno;

	/* An emulator that does not know an option: the kernel was not asked. */
	if (code == ENOPROTOOPT)
		return ebpf_err_set(err, -EOPNOTSUPP, "%s: %s", what, strerror(code));
	/* -EINVAL is what a refused program gives. */
	return ebpf_err_set(err, code == EINVAL ? -EIO : -code, "%s: %s", what, strerror(code));
}

/* ---- sockets ---- */

static int
packet_socket(int ifindex, int protocol)
{
	const struct sockaddr_ll addr = { .sll_family = AF_PACKET,
					  .sll_protocol = htons((uint16_t)protocol),
					  .sll_ifindex = ifindex };
	int one = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) == 0 &&
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
attach(int fd, const struct cbpf_insn *insns, size_t n_insns)
{
	struct sock_fprog prog = { .len = (unsigned short)n_insns,
				   .filter = (struct sock_filter *)(uintptr_t)insns };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static int
attach_lowered(int fd, const struct cbpf_lowered *lowered, struct ebpf_err *err)
{
	int prog = kernel_prog_load(KERNEL_SOCKET_FILTER, lowered->insns, lowered->n_insns, err);
	int rc;

	if (prog < 0)
		return prog;
	rc = setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog));
	if (rc < 0)
		rc = ebpf_err_set(err, -EIO, "attaching the extended program: %s", strerror(errno));
	close(prog);
	return rc;
}

/* What is classic, or as much of it as target socket has, as the kernel is to run it. */
static int
attach_program(struct kernel *k, size_t i, const struct cbpf_insn *insns, size_t n_insns,
	       struct ebpf_err *err)
{
	/* each level in turn */
	const struct cbpf_lower_opts opts = {
		.size = sizeof(opts), .level = (enum cbpf_level)(CBPF_LEVEL_0 + k->n_lowered % 3),
	};
	struct cbpf_lowered lowered;
	struct cbpf_prog *prog;
	int rc = -EINVAL;

	k->is_on[i] = true;
	if (k->lowers && cbpf_check(insns, n_insns, CBPF_DIALECT_KERNEL, &prog, NULL) == 0) {
		rc = cbpf_lower(prog, CBPF_TARGET_SOCKET, &opts, &lowered, NULL);
		cbpf_prog_free(prog);
	}
	if (rc == 0) {
		k->n_lowered++;
		rc = attach_lowered(k->sockets[i], &lowered, err);
		cbpf_lowered_free(&lowered);
		return rc;
	}
	if (attach(k->sockets[i], insns, n_insns) == 0)
		return 0;
	/* more than a socket may hold, once converted */
	if (errno == ENOMEM && n_insns >= LONG_PROGRAM)
		return -E2BIG;
	return ebpf_err_set(err, -errno, "the kernel refuses the program: %s", strerror(errno));
}

static int
switch_off(struct kernel *k, size_t i)
{
	static const struct cbpf_insn nothing[] = { CBPF_STMT(CBPF_RET | CBPF_K, 0) };

	if (!k->is_on[i])
		return 0;
	k->is_on[i] = false;
	return attach(k->sockets[i], nothing, N_ELEMS(nothing));
}

static int
open_sockets(struct kernel *k, const struct veth *veth, struct ebpf_err *err)
{
	k->sender = packet_socket(veth->sender, 0);
	k->witness = packet_socket(veth->receiver, ETH_P_ALL);
	if (k->sender < 0 || k->witness < 0)
		return failed(err, "packet socket");
	for (size_t i = 0; i < MAX_SOCKETS; i++) {
		k->sockets[i] = packet_socket(veth->receiver, ETH_P_ALL);
		k->is_on[i] = true;
		if (k->sockets[i] < 0 || switch_off(k, i) < 0)
			return failed(err, "packet socket");
	}
	k->ifindex = veth->receiver;
	return 0;
}

/* Frames are received on the processor that sends them: stay there. */
static int
stay_on_cpu(struct kernel *k, struct ebpf_err *err)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	if (cpu < 0)
		return failed(err, "sched_getcpu");
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		return failed(err, "sched_setaffinity");
	k->cpu = (uint32_t)cpu;
	return 0;
}

static void
close_kernel(void *state)
{
	struct kernel *k = state;

	if (k == NULL)
		return;
	if (k->sender >= 0)
		close(k->sender);
	if (k->witness >= 0)
		close(k->witness);
	for (size_t i = 0; i < MAX_SOCKETS; i++) {
		if (k->sockets[i] >= 0)
			close(k->sockets[i]);
	}
	free(k);
}

static int
open_kernel(void **state, struct ebpf_err *err)
{
	struct kernel *k = calloc(1, sizeof(*k));
	struct veth veth;
	int rc;

	if (k == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	k->sender = k->witness = -1;
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		k->sockets[i] = -1;
	if ((rc = stay_on_cpu(k, err)) < 0 || (rc = veth_open(&veth, err)) < 0 ||
	    (rc = open_sockets(k, &veth, err)) < 0) {
		close_kernel(k);
		return rc;
	}
	*state = k;
	return 0;
}

/* ---- frames ---- */

static int
send_frame(const struct kernel *k, const struct diff_packet *p, struct ebpf_err *err)
{
	union {
		char bytes[CMSG_SPACE(sizeof(uint32_t))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = p->frame, .iov_len = p->len };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	memset(&control, 0, sizeof(control));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SO_MARK;
	cmsg->cmsg_len = CMSG_LEN(sizeof(p->view.mark));
	memcpy(CMSG_DATA(cmsg), &p->view.mark, sizeof(p->view.mark));
	if (sendmsg(k->sender, &msg, 0) != (ssize_t)p->len)
		return failed(err, "send");
	return 0;
}

/* A frame as the witness got it. */
struct arrival {
	uint8_t data[2048];
	uint32_t len;
	struct sockaddr_ll from;
	struct tpacket_auxdata aux;
};

/* -EAGAIN: nothing arrived yet. */
static int
read_arrival(const struct kernel *k, struct arrival *a)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = a->data, .iov_len = sizeof(a->data) };
	struct msghdr msg = { .msg_name = &a->from,
			      .msg_namelen = sizeof(a->from),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	ssize_t len = recvmsg(k->witness, &msg, MSG_DONTWAIT);
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	if (len < 0)
		return -errno;
	if (cmsg == NULL || cmsg->cmsg_level != SOL_PACKET || cmsg->cmsg_type != PACKET_AUXDATA)
		return -EPROTO;
	memcpy(&a->aux, CMSG_DATA(cmsg), sizeof(a->aux));
	a->len = (uint32_t)len;
	return 0;
}

static int
await_arrival(const struct kernel *k, struct arrival *a, struct ebpf_err *err)
{
	struct pollfd pollfd = { .fd = k->witness, .events = POLLIN };
	int rc = read_arrival(k, a);

	while (rc == -EAGAIN) {
		int n = poll(&pollfd, 1, ARRIVAL_TIMEOUT_MS);

		if (n == 0)
			return ebpf_err_set(err, -ETIMEDOUT, "a frame never arrived");
		if (n < 0 && errno != EINTR)
			return failed(err, "poll");
		rc = read_arrival(k, a);
	}
	return rc == 0 ? 0 : ebpf_err_set(err, rc, "witness: %s", strerror(-rc));
}

static bool
has_tag(const struct arrival *a)
{
	return a->aux.tp_status & TP_STATUS_VLAN_VALID;
}

/* Whether what arrived is what was sent, but for a tag taken off. */
static bool
is_of(const struct arrival *a, const struct diff_packet *p)
{
	uint32_t gap = has_tag(a) ? 4 : 0;

	return a->len + gap == p->len && memcmp(a->data, p->frame, 12) == 0 &&
	       memcmp(a->data + 12, p->frame + 12 + gap, a->len - 12) == 0;
}

/* Forget all that has arrived. */
static void
drain(const struct kernel *k)
{
	char byte;

	while (recv(k->witness, &byte, 1, MSG_DONTWAIT) >= 0)
		;
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		while (recv(k->sockets[i], &byte, 1, MSG_DONTWAIT) >= 0)
			;
}

/* Send a frame and see it arrive, alone on the wire. */
static int
deliver(const struct kernel *k, const struct diff_packet *p, struct arrival *a,
	struct ebpf_err *err)
{
	for (int try = 0; try < MAX_TRIES; try++) {
		int rc = send_frame(k, p, err);

		if (rc == 0)
			rc = await_arrival(k, a, err);
		if (rc < 0)
			return rc;
		if (is_of(a, p))
			return 0;
		drain(k);
	}
	return ebpf_err_set(err, -EIO, "other frames arrive than were sent");
}

/* ---- verdicts ---- */

static bool
is_of_width(const struct diff_packet *p, size_t w)
{
	uint32_t len = p->view.caplen;

	return len >= 1u << widths[w] && (w + 1 == N_ELEMS(widths) || len < 1u << widths[w + 1]);
}

/* Give each socket its share of the verdict to deliver. */
static int
attach_all(struct kernel *k, const struct cbpf_insn *insns, size_t n_insns, unsigned width,
	   struct ebpf_err *err)
{
	for (size_t i = 0; i < MAX_SOCKETS; i++) {
		unsigned shift = (unsigned)i * width;
		size_t n;
		int rc;

		if (shift >= 32) {
			if (switch_off(k, i) < 0)
				return failed(err, "attach");
			continue;
		}
		n = chunk_program(insns, n_insns, shift, width, k->rewritten);
		if ((rc = attach_program(k, i, k->rewritten, n, err)) < 0)
			return rc;
	}
	return 0;
}

/* -EIO: some sockets accepted what others did not. */
static int
read_verdict(const struct kernel *k, unsigned width, uint32_t *verdict, struct ebpf_err *err)
{
	unsigned n_accepted = 0, n = 0;
	char byte;

	*verdict = 0;
	for (unsigned shift = 0; shift < 32; shift += width) {
		ssize_t len = recv(k->sockets[n++], &byte, 1, MSG_DONTWAIT | MSG_TRUNC);

		if (len < 0 && errno != EAGAIN)
			return failed(err, "recv");
		if (len < 1)
			continue;
		n_accepted++;
		*verdict |= (uint32_t)(len - 1) << shift;
	}
	if (n_accepted == 0 || n_accepted == n)
		return 0;
	return ebpf_err_set(err, -EIO, "%u of %u sockets accepted a frame", n_accepted, n);
}

static int
judge(void *state, const struct cbpf_insn *insns, size_t n_insns, const struct diff_packet *packets,
      size_t n, const bool *skip, uint32_t *verdicts, struct ebpf_err *err)
{
	struct kernel *k = state;
	struct arrival a;
	int rc;

	/* The program itself, before it is rewritten: is it valid? */
	if ((rc = attach_program(k, 0, insns, n_insns, err)) < 0)
		return rc;
	for (size_t w = 0; w < N_ELEMS(widths); w++) {
		bool is_attached = false;

		for (size_t i = 0; i < n; i++) {
			if (skip[i] || !is_of_width(&packets[i], w))
				continue;
			if (!is_attached &&
			    (rc = attach_all(k, insns, n_insns, widths[w], err)) < 0)
				return rc;
			is_attached = true;
			if ((rc = deliver(k, &packets[i], &a, err)) < 0 ||
			    (rc = read_verdict(k, widths[w], &verdicts[i], err)) < 0)
				return rc;
		}
	}
	return 0;
}

/* ---- views ---- */

/* Outermost tag gone, both headers where the kernel has them. */
static int
view_of(const struct kernel *k, const struct arrival *a, struct sift_view *v)
{
	uint8_t *data = malloc(a->len);

	if (data == NULL)
		return -ENOMEM;
	memcpy(data, a->data, a->len);
	*v = (struct sift_view){
		.data = data,
		.caplen = a->len,
		.wirelen = a->len,
		.mac_off = 0,
		.net_off = ETH_HLEN,
		.known = SIFT_KNOWN_PROTOCOL | SIFT_KNOWN_PKTTYPE | SIFT_KNOWN_IFINDEX |
			 SIFT_KNOWN_MARK | SIFT_KNOWN_QUEUE | SIFT_KNOWN_HATYPE |
			 SIFT_KNOWN_RXHASH | SIFT_KNOWN_CPU | SIFT_KNOWN_VLAN,
		.protocol = ntohs(a->from.sll_protocol),
		.pkttype = a->from.sll_pkttype,
		.hatype = a->from.sll_hatype,
		.ifindex = (uint32_t)a->from.sll_ifindex,
		.mark = v->mark,
		.cpu = k->cpu,
		.vlan_present = has_tag(a),
		.vlan_tci = has_tag(a) ? a->aux.tp_vlan_tci : 0,
		.vlan_proto = has_tag(a) ? a->aux.tp_vlan_tpid : 0,
	};
	return 0;
}

static bool
asks_for(const struct diff_case *c, uint32_t ad)
{
	for (size_t pc = 0; pc < c->n_insns; pc++) {
		if ((c->insns[pc].code & 0xe7) == (CBPF_LD | CBPF_ABS) &&
		    c->insns[pc].k == (uint32_t)CBPF_AD_OFF + ad)
			return true;
	}
	return false;
}

/* What only a program can see of the packets. */
static int
probe(struct kernel *k, const struct diff_case *c, uint32_t ad, uint32_t *values,
      struct ebpf_err *err)
{
	static const bool skip[DIFF_PACKETS];
	const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, (uint32_t)CBPF_AD_OFF + ad),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};

	memset(values, 0, DIFF_PACKETS * sizeof(*values));
	if (!asks_for(c, ad))
		return 0;
	return judge(k, insns, N_ELEMS(insns), c->packets, DIFF_PACKETS, skip, values, err);
}

static int
meet(void *state, struct diff_case *c, struct ebpf_err *err)
{
	struct kernel *k = state;
	uint32_t hashes[DIFF_PACKETS], queues[DIFF_PACKETS], offsets[DIFF_PACKETS];
	struct arrival a;
	int rc;

	for (size_t i = 0; i < MAX_SOCKETS; i++) {
		if (switch_off(k, i) < 0)
			return failed(err, "attach");
	}
	drain(k);
	for (size_t i = 0; i < DIFF_PACKETS; i++) {
		if ((rc = deliver(k, &c->packets[i], &a, err)) < 0)
			return rc;
		if (view_of(k, &a, &c->packets[i].view) < 0)
			return ebpf_err_set(err, -ENOMEM, "out of memory");
	}
	if ((rc = probe(k, c, CBPF_AD_RXHASH, hashes, err)) < 0 ||
	    (rc = probe(k, c, CBPF_AD_QUEUE, queues, err)) < 0 ||
	    (rc = probe(k, c, CBPF_AD_PAY_OFFSET, offsets, err)) < 0)
		return rc;
	for (size_t i = 0; i < DIFF_PACKETS; i++) {
		c->packets[i].view.rxhash = hashes[i];
		c->packets[i].view.queue = (uint16_t)queues[i];
		c->packets[i].pay_offset = offsets[i];
	}
	return 0;
}

static void
part(struct diff_case *c)
{
	for (size_t i = 0; i < DIFF_PACKETS; i++) {
		if (c->packets[i].view.data != c->packets[i].frame)
			free((void *)(uintptr_t)c->packets[i].view.data);
	}
}

static int
open_lowering(void **state, struct ebpf_err *err)
{
	static const struct ebpf_insn minimal[] = {
		{ .code = EBPF_ALU64 | EBPF_MOV | EBPF_K }, { .code = EBPF_JMP | EBPF_EXIT },
	};
	int rc = open_kernel(state, err), prog;

	if (rc < 0)
		return rc;
	((struct kernel *)*state)->lowers = true;
	prog = kernel_prog_load(KERNEL_SOCKET_FILTER, minimal, N_ELEMS(minimal), err);
	if (prog < 0) {
		close_kernel(*state);
		return prog;
	}
	close(prog);
	return 0;
}

uint64_t
diff_n_lowered(const void *state)
{
	return ((const struct kernel *)state)->n_lowered;
}

const struct diff_oracle diff_oracle_socket = {
	.name = "socket",
	.dialect = CBPF_DIALECT_KERNEL,
	.is_kernel = true,
	.open = open_lowering,
	.close = close_kernel,
	.meet = meet,
	.part = part,
	.judge = judge,
};

const struct diff_oracle diff_oracle_kernel = {
	.name = "kernel",
	.dialect = CBPF_DIALECT_KERNEL,
	.is_kernel = true,
	.open = open_kernel,
	.close = close_kernel,
	.meet = meet,
	.part = part,
	.judge = judge,
};
