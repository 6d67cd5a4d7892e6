/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h" /* system extensions: syscall() */

#include "tests/diff/kernel_prog.h"

#include "ebpf/err.h"

#include <errno.h>
#include <string.h>

#ifdef __linux__
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOG_SIZE = 1 << 24 };

/* The last line that is not a figure. */
static void
take_reason(char *log, char *reason, size_t size)
{
	char *end = strstr(log, "\nprocessed "), *line;

	if (end != NULL)
		*end = '\0';
	line = strrchr(log, '\n');
	line = line != NULL ? line + 1 : log;
	reason[0] = '\0';
	strncat(reason, line, size - 1);
}

static int
refused(union bpf_attr *attr, int code, struct ebpf_err *err)
{
	char *log = malloc(LOG_SIZE), reason[160] = "";

	if (code == EPERM || code == ENOSYS)
		return free(log), ebpf_err_set(err, code == EPERM ? -EPERM : -EOPNOTSUPP,
					       "no extended programs can be loaded: %s",
					       strerror(code));
	if (log != NULL) {
		log[0] = '\0';
		attr->log_buf = (uintptr_t)log;
		attr->log_size = LOG_SIZE;
		attr->log_level = 1;
		syscall(SYS_bpf, BPF_PROG_LOAD, attr, sizeof(*attr));
		take_reason(log, reason, sizeof(reason));
	}
	free(log);
	return ebpf_err_set(err, code == E2BIG ? -E2BIG : -EACCES, "%s: %s", strerror(code),
			    reason);
}

int
kernel_prog_load(enum kernel_prog_type type, const struct ebpf_insn *insns, size_t n_insns,
		 struct ebpf_err *err)
{
	static const uint32_t types[] = {
		[KERNEL_SOCKET_FILTER] = BPF_PROG_TYPE_SOCKET_FILTER,
		[KERNEL_TC] = BPF_PROG_TYPE_SCHED_CLS,
		[KERNEL_XDP] = BPF_PROG_TYPE_XDP,
	};
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = types[type];
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n_insns;
	attr.license = (uintptr_t)"BSD";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	return fd >= 0 ? fd : refused(&attr, errno, err);
}

int
kernel_prog_run(int prog, const uint8_t *frame, uint32_t len, uint32_t *result,
		struct ebpf_err *err)
{
	union bpf_attr attr;
	int code;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)prog;
	attr.test.data_in = (uintptr_t)frame;
	attr.test.data_size_in = len;
	attr.test.repeat = 1;
	do {
		code = syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)) < 0 ? errno : 0;
	} while (code == EINTR || code == EAGAIN);
	if (code != 0)
		return ebpf_err_set(err, -code, "BPF_PROG_TEST_RUN with %u bytes: %s", len,
				    strerror(code));
	*result = attr.test.retval;
	return 0;
}

#else

int
kernel_prog_load(enum kernel_prog_type type, const struct ebpf_insn *insns, size_t n_insns,
		 struct ebpf_err *err)
{
	(void)type, (void)insns, (void)n_insns;
	return ebpf_err_set(err, -EOPNOTSUPP, "no Linux kernel");
}

int
kernel_prog_run(int prog, const uint8_t *frame, uint32_t len, uint32_t *result,
		struct ebpf_err *err)
{
	(void)prog, (void)frame, (void)len, (void)result;
	return ebpf_err_set(err, -EOPNOTSUPP, "no Linux kernel");
}

#endif
