/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel, through libbpf.  What is ours on an interface is told by the
 * program's name there: nothing else is replaced or taken off.
 */
#include "config.h"

#include "tools/cbpf2ebpf_kernel.h"

#include "tools/cbpf2ebpf_say.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAM_NAME "cbpf2ebpf"
#define LICENSE "BSD"

/* What the log has: the way that failed, all ways, or how many steps there were. */
enum { LOG_LAST = 1, LOG_ALL = 2, LOG_FIGURES = 4, LOG_SIZE = 1 << 24 };
/* Where our classifier stands among others. */
enum { TC_HANDLE = 1, TC_PRIORITY = 1 };

static enum bpf_prog_type
type_of(const struct options *o)
{
	switch (o->target) {
	case CBPF_TARGET_TC:
		return BPF_PROG_TYPE_SCHED_CLS;
	case CBPF_TARGET_XDP:
		return BPF_PROG_TYPE_XDP;
	default:
		return BPF_PROG_TYPE_SOCKET_FILTER;
	}
}

/* ---- loading ---- */

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct ebpf_insn), "one layout");

static int
load(const struct translation *t, char *log, size_t size, uint32_t level)
{
	struct bpf_prog_load_opts opts;

	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.log_buf = log;
	opts.log_size = (uint32_t)size;
	opts.log_level = level;
	log[0] = '\0';
	return bpf_prog_load(type_of(t->options), PROGRAM_NAME, LICENSE,
			     (const struct bpf_insn *)t->ebpf->insns, t->ebpf->n_insns, &opts);
}

/* "12: (b4) w0 = 0", as the verifier's log begins its lines: 12, or SIZE_MAX. */
static size_t
insn_of(const char *line, const struct translation *t)
{
	char *end;
	unsigned long n;

	if (*line < '0' || *line > '9')
		return SIZE_MAX;
	n = strtoul(line, &end, 10);
	return strncmp(end, ": ", 2) == 0 && n < t->ebpf->n_insns ? n : SIZE_MAX;
}

/* Which classic instruction a slot came from; NULL: none. */
static const char *
classic_of(const struct translation *t, size_t insn, uint32_t *pc)
{
	*pc = insn < t->ebpf->n_insns ? t->ebpf->origin[insn] : UINT32_MAX;
	return *pc < t->n_cbpf ? t->cbpf_lines[*pc] : NULL;
}

/* The walk, each part of it under the classic instruction that it is about. */
static void
print_log(const struct translation *t, const char *log)
{
	uint32_t last = UINT32_MAX, pc;

	while (*log != '\0') {
		size_t len = strcspn(log, "\n"), insn = insn_of(log, t);
		const char *classic = classic_of(t, insn, &pc);

		if (insn != SIZE_MAX && pc != last && classic != NULL)
			fprintf(stderr, "; %s\n", classic);
		last = insn != SIZE_MAX ? pc : last;
		fprintf(stderr, "%.*s\n", (int)len, log);
		log += len + (log[len] != '\0');
	}
}

/*
 * What is said last, and of which instruction: the last one walked to.
 * reason is cut out of the log.
 */
static const char *
find_reason(const struct translation *t, char *log, size_t *insn)
{
	char *reason = log, *figures = strstr(log, "\nprocessed ");

	if (figures != NULL)
		*figures = '\0';
	*insn = SIZE_MAX;
	for (char *line = log; *line != '\0';) {
		size_t len = strcspn(line, "\n"), at = insn_of(line, t);

		if (at != SIZE_MAX)
			*insn = at;
		else if (len > 0)
			reason = line;
		line += len + (line[len] != '\0');
	}
	reason[strcspn(reason, "\n")] = '\0';
	return reason;
}

__attribute__((noreturn)) static void
refused(const struct translation *t, char *log, int code)
{
	const char *reason, *classic;
	uint32_t pc;
	size_t insn;

	if (log[0] == '\0')
		die("the kernel loads no program: %s", strerror(code));
	reason = find_reason(t, log, &insn);
	classic = classic_of(t, insn, &pc);
	if (insn == SIZE_MAX)
		die("%s: the kernel refuses the program: %s", input_name(t->options), reason);
	if (classic == NULL)
		die("%s: the kernel refuses instruction %zu: %s", input_name(t->options), insn,
		    reason);
	die("%s: the kernel refuses instruction %zu, of %s: %s", input_name(t->options), insn,
	    classic, reason);
}

int
kernel_load(const struct translation *t)
{
	char *log = must(malloc(LOG_SIZE));
	uint32_t level = t->options->log ? LOG_ALL : LOG_FIGURES;
	int prog, code;

	libbpf_set_print(NULL);
	prog = load(t, log, LOG_SIZE, level);
	code = errno;
	if (t->options->log)
		print_log(t, log);
	/* a log that was full is no refusal; and without the way there it says no reason */
	if (prog < 0 && code == ENOSPC) {
		prog = load(t, log, LOG_SIZE, LOG_FIGURES);
		code = errno;
	}
	if (prog < 0 && !t->options->log && code != E2BIG && code != EPERM) {
		prog = load(t, log, LOG_SIZE, LOG_LAST);
		code = errno;
	}
	if (prog < 0 && code != E2BIG)
		refused(t, log, code);
	free(log);
	return prog >= 0 ? prog : -E2BIG;
}

/* ---- what is said of it ---- */

static struct bpf_prog_info
info_of(int prog)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog, &info, &size) < 0)
		die("the loaded program: %s", strerror(errno));
	return info;
}

static unsigned long
option_memory_max(void)
{
	FILE *f = fopen("/proc/sys/net/core/optmem_max", "r");
	unsigned long max = 0;
	char line[32];

	if (f == NULL)
		return 0;
	if (fgets(line, sizeof(line), f) != NULL)
		max = strtoul(line, NULL, 10);
	fclose(f);
	return max;
}

/* A socket pays for its filter: can one? */
static void
try_socket(int prog)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		die("socket: %s", strerror(errno));
	if (setsockopt(s, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)) == 0)
		printf("a socket takes it\n");
	else if (errno == ENOMEM)
		printf("no socket takes it: it is larger than net.core.optmem_max, %lu bytes\n",
		       option_memory_max());
	else
		die("SO_ATTACH_BPF: %s", strerror(errno));
	close(s);
}

/* ---- interfaces ---- */

struct place {
	unsigned ifindex;
	bool is_egress;
	char name[IF_NAMESIZE];
};

/* INTERFACE, or for tc INTERFACE/egress. */
static struct place
find_place(const struct options *o, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct place p = { .is_egress = slash != NULL && strcmp(slash, "/egress") == 0 };

	if (slash != NULL && !p.is_egress && strcmp(slash, "/ingress") != 0)
		die("%s: '%s' is none of ingress, egress", text, slash + 1);
	if (p.is_egress && o->target != CBPF_TARGET_TC)
		die("%s: only tc has an egress", text);
	if (len >= sizeof(p.name))
		die("%.*s: %s", (int)len, text, strerror(ENODEV));
	memcpy(p.name, text, len);
	if ((p.ifindex = if_nametoindex(p.name)) == 0)
		die("%s: %s", p.name, strerror(errno));
	return p;
}

/* A descriptor of the program in a place, which is to be one that we attached. */
static int
open_ours(const struct place *p, uint32_t id)
{
	int prog = bpf_prog_get_fd_by_id(id);

	if (prog < 0)
		die("program %" PRIu32 ": %s", id, strerror(errno));
	if (strcmp(info_of(prog).name, PROGRAM_NAME) != 0)
		die("%s: program %" PRIu32 " is there, which is not of cbpf2ebpf", p->name, id);
	return prog;
}

/* libbpf refuses what is not 0 in padding, so that is set too. */
static void
make_hook(struct bpf_tc_hook *hook, const struct place *p)
{
	memset(hook, 0, sizeof(*hook));
	hook->sz = sizeof(*hook);
	hook->ifindex = (int)p->ifindex;
	hook->attach_point = p->is_egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
}

static void
make_tc_opts(struct bpf_tc_opts *opts)
{
	memset(opts, 0, sizeof(*opts));
	opts->sz = sizeof(*opts);
	opts->handle = TC_HANDLE;
	opts->priority = TC_PRIORITY;
}

/* The program in our place among classifiers: its number; 0: there is none. */
static uint32_t
tc_query(const struct bpf_tc_hook *hook)
{
	struct bpf_tc_opts opts;

	make_tc_opts(&opts);
	return bpf_tc_query(hook, &opts) == 0 ? opts.prog_id : 0;
}

static void
tc_attach(const struct place *p, int prog)
{
	struct bpf_tc_opts opts;
	struct bpf_tc_hook hook;
	uint32_t id;
	int rc;

	make_hook(&hook, p);
	make_tc_opts(&opts);
	opts.prog_fd = prog;
	rc = bpf_tc_hook_create(&hook);
	if (rc < 0 && rc != -EEXIST)
		die("%s: clsact: %s", p->name, strerror(-rc));
	id = tc_query(&hook);
	if (id != 0) {
		close(open_ours(p, id));
		opts.flags = BPF_TC_F_REPLACE;
	}
	if ((rc = bpf_tc_attach(&hook, &opts)) < 0)
		die("%s: %s", p->name, strerror(-rc));
}

static void
tc_detach(const struct place *p)
{
	struct bpf_tc_opts opts;
	struct bpf_tc_hook hook;
	uint32_t id;
	int rc;

	make_hook(&hook, p);
	make_tc_opts(&opts);
	id = tc_query(&hook);
	if (id == 0)
		die("%s: nothing is attached", p->name);
	close(open_ours(p, id));
	if ((rc = bpf_tc_detach(&hook, &opts)) < 0)
		die("%s: %s", p->name, strerror(-rc));
}

static uint32_t
xdp_query(const struct place *p)
{
	uint32_t id = 0;
	int rc = bpf_xdp_query_id((int)p->ifindex, 0, &id);

	if (rc < 0)
		die("%s: %s", p->name, strerror(-rc));
	return id;
}

static void
xdp_attach(const struct place *p, int prog)
{
	struct bpf_xdp_attach_opts opts;
	uint32_t id = xdp_query(p);
	int rc, old = -1;

	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	if (id != 0)
		old = open_ours(p, id);
	opts.old_prog_fd = old >= 0 ? old : 0;
	rc = bpf_xdp_attach((int)p->ifindex, prog,
			    old >= 0 ? XDP_FLAGS_REPLACE : XDP_FLAGS_UPDATE_IF_NOEXIST,
			    old >= 0 ? &opts : NULL);
	if (rc < 0)
		die("%s: %s", p->name, strerror(-rc));
	if (old >= 0)
		close(old);
}

static void
xdp_detach(const struct place *p)
{
	struct bpf_xdp_attach_opts opts;
	uint32_t id = xdp_query(p);
	int rc, old;

	if (id == 0)
		die("%s: nothing is attached", p->name);
	old = open_ours(p, id);
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.old_prog_fd = old;
	if ((rc = bpf_xdp_detach((int)p->ifindex, XDP_FLAGS_REPLACE, &opts)) < 0)
		die("%s: %s", p->name, strerror(-rc));
	close(old);
}

void
kernel_detach(const struct options *o)
{
	struct place p = find_place(o, o->detach);

	libbpf_set_print(NULL);
	if (o->target == CBPF_TARGET_TC)
		tc_detach(&p);
	else
		xdp_detach(&p);
}

void
kernel_use(const struct translation *t, int prog)
{
	const struct options *o = t->options;

	printf("the kernel accepts it: %zu instructions, %" PRIu32 " followed by its verifier\n",
	       t->ebpf->n_insns, info_of(prog).verified_insns);
	if (o->target == CBPF_TARGET_SOCKET)
		try_socket(prog);
	if (o->pin != NULL) {
		if (bpf_obj_pin(prog, o->pin) < 0)
			die("%s: %s", o->pin, strerror(errno));
		printf("pinned to %s\n", o->pin);
	}
	if (o->attach != NULL) {
		struct place p = find_place(o, o->attach);

		if (o->target == CBPF_TARGET_TC)
			tc_attach(&p, prog);
		else
			xdp_attach(&p, prog);
		printf("attached to %s\n", o->attach);
	}
	close(prog);
	if (fflush(stdout) != 0)
		die("stdout: %s", strerror(errno));
}
