/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A classic program is made to judge by the kernel's rules as it does by its own, and to
 * see frames as the kernel has them, with the tag beside the bytes; lowered for a socket;
 * loaded, where the kernel's verifier judges it; and attached.  libbpf is not needed for
 * that: it is one system call.
 */
#include "config.h"

#include "filter/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cbpf/retag.h"
#include "cbpf/to_kernel.h"
#include "ebpf/err.h"

#ifdef __linux__
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct ebpf_insn), "one layout");

/* Of cooked packets the kernel has not the bytes that libpcap writes before them. */
static int
check_socket(int fd, struct ebpf_err *err)
{
	int domain = 0, type = 0;
	socklen_t domain_size = sizeof(domain), type_size = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0 || domain != AF_PACKET ||
	    type != SOCK_RAW)
		return ebpf_err_set(err, -ENOTSUP, "the kernel has no such frames");
	return 0;
}

/* The program for the kernel's frames, by its rules. */
static int
make_classic(const struct cbpf_prog *prog, bool has_tags, struct cbpf_prog **out,
	     struct ebpf_err *err)
{
	struct cbpf_insn *strict, *retagged = NULL;
	const struct cbpf_insn *insns;
	size_t n_insns, n_strict, n;
	int rc;

	insns = cbpf_prog_insns(prog, &n_insns);
	if ((rc = cbpf_to_kernel(insns, n_insns, &strict, &n_strict, err)) < 0)
		return rc;
	insns = strict;
	n = n_strict;
	if (has_tags && (rc = cbpf_retag(strict, n_strict, &retagged, &n, err)) == 0)
		insns = retagged;
	if (rc == 0)
		rc = cbpf_check(insns, n, CBPF_DIALECT_KERNEL, out, err);
	free(strict);
	free(retagged);
	return rc;
}

static int
load(const struct cbpf_lowered *program, struct ebpf_err *err)
{
	static const char license[] = "BSD", name[] = "bpfsift";
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)program->insns;
	attr.insn_cnt = (uint32_t)program->n_insns;
	attr.license = (uintptr_t)license;
	memcpy(attr.prog_name, name, sizeof(name));
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return ebpf_err_set(err, -errno, "the kernel does not load it: %s",
				    strerror(errno));
	return (int)fd;
}

/*
 * Packets that met the old filter are handed on before this returns: a barrier for all
 * processors waits for those who read what the kernel has replaced, as it has the filter.
 */
static void
let_pass(void)
{
	const struct timespec long_enough = { .tv_nsec = 50000000 };

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		nanosleep(&long_enough, NULL);
}

static int
attach(int fd, int program, struct ebpf_err *err)
{
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)) == 0)
		return 0;
	if (errno == ENOMEM)
		return ebpf_err_set(err, -ENOMEM, "it is too large for a socket");
	return ebpf_err_set(err, -errno, "the socket does not take it: %s", strerror(errno));
}

int
sift_attach_socket(int socket, const struct cbpf_prog *prog, bool has_tags, struct ebpf_err *err)
{
	struct cbpf_lowered lowered;
	struct cbpf_prog *classic;
	int rc, program;

	if ((rc = check_socket(socket, err)) < 0 ||
	    (rc = make_classic(prog, has_tags, &classic, err)) < 0)
		return rc;
	rc = cbpf_lower(classic, CBPF_TARGET_SOCKET, NULL, &lowered, err);
	cbpf_prog_free(classic);
	if (rc < 0)
		return rc;
	program = load(&lowered, err);
	cbpf_lowered_free(&lowered);
	if (program < 0)
		return program;
	rc = attach(socket, program, err);
	close(program); /* the socket's now */
	if (rc == 0)
		let_pass();
	return rc;
}

#else

int
sift_attach_socket(int socket, const struct cbpf_prog *prog, bool has_tags, struct ebpf_err *err)
{
	(void)socket, (void)prog, (void)has_tags;
	return ebpf_err_set(err, -ENOTSUP, "this system's kernel runs no extended BPF");
}

#endif
