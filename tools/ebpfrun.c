/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ebpfrun: one program on one input.
 *
 * An extended program (hex on stdin) runs over a piece of memory, a classic
 * one (--cbpf) is lowered and runs over a packet.  What it prints is stable:
 * tests and the public bpf_conformance suite read it.
 */
#include "config.h"

#include "tools/native.h"

#include <bpfsift/cbpf.h>
#include <bpfsift/ebpf.h>
#include <bpfsift/filter.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

/* More hex than any program needs: three characters for each of its bytes, and room. */
#define MAX_STDIN ((size_t)EBPF_MAXINSNS * 8 * 4)

#define DLT_OF_PACKET 1         /* DLT_EN10MB: what --packet is a frame of */

static const char usage_text[] =
	"usage: ebpfrun [MEMORY] [--mem HEX] [--engine=interp|jit] [--no-verify|--log]\n"
	"               [--blind] [--trace] [--dump] [--dump-native] [--elf] < PROGRAM\n"
	"       ebpfrun [MEMORY] --object=FILE[:SECTION] [OPTION...]\n"
	"       ebpfrun --cbpf --packet HEX [--wire-len N] [--meta KEY=VALUE,...]\n"
	"               [--target=packet|buffer] [-O LEVEL] [--dialect=kernel|pcap]\n"
	"               [--engine=interp|jit] [--blind] [--trace] [--dump] [--dump-native]\n"
	"               < PROGRAM\n"
	"       ebpfrun --help | --version\n";

struct options {
	bool is_cbpf, is_elf, trace, dump, dump_native, no_verify, log;
	struct ebpf_policy policy;
	const char *object;             /* NULL: the program is on stdin */
	const char *mem;                /* NULL: none */
	const char *packet;
	const char *meta;
	bool has_wire_len;
	uint32_t wire_len;
	enum cbpf_target target;
	enum cbpf_dialect dialect;
	enum cbpf_level level;
};

/* ---- messages ---- */

__attribute__((format(printf, 1, 2), noreturn)) static void
die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("ebpfrun: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	/* What is held goes with the process: nothing for a leak checker to look for. */
	_exit(EXIT_FAILURE);
}

__attribute__((format(printf, 1, 2), noreturn)) static void
usage(const char *fmt, ...)
{
	va_list ap;

	fputs("ebpfrun: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_USAGE);
}

static void *
must(void *p)
{
	if (p == NULL)
		die("out of memory");
	return p;
}

/* A full disk is not a success. */
static void
finish_stdout(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		die("stdout: %s", strerror(errno));
}

/* ---- input ---- */

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct bytes
read_all(FILE *f, const char *name)
{
	struct bytes in = { NULL, 0 };
	size_t room = 0;

	while (!feof(f)) {
		if (room - in.n < 4096)
			in.p = must(realloc(in.p, room = room < 4096 ? 16384 : room * 2));
		in.n += fread(in.p + in.n, 1, room - in.n, f);
		if (ferror(f))
			die("%s: %s", name, strerror(errno));
		if (in.n > MAX_STDIN)
			die("%s: over %zu bytes", name, MAX_STDIN);
	}
	return in;
}

static struct bytes
read_stdin(void)
{
	return read_all(stdin, "stdin");
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Pairs of hex digits, white space anywhere ignored, in a block of their own. */
static struct bytes
parse_hex(const char *what, const char *text, size_t len)
{
	struct bytes out = { must(malloc(len / 2 + 1)), 0 };
	size_t n_digits = 0;

	for (size_t i = 0; i < len; i++) {
		int v = hex_digit(text[i]);

		if (strchr(" \t\r\n\v\f", text[i]) != NULL && text[i] != '\0')
			continue;
		if (v < 0)
			die("%s: byte %zu is not a hexadecimal digit", what, i);
		if (n_digits++ % 2 == 0)
			out.p[out.n] = (uint8_t)(v << 4);
		else
			out.p[out.n++] |= (uint8_t)v;
	}
	if (n_digits % 2 != 0)
		die("%s: an odd number of hexadecimal digits", what);
	/* Cut to the length, so that checkers of memory see an access past it. */
	out.p = must(realloc(out.p, out.n > 0 ? out.n : 1));
	return out;
}

static uint32_t
load_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A number from 0 to max, decimal or hexadecimal. */
static bool
parse_number(const char *text, uint64_t max, uint64_t *v)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*v = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	return errno == 0 && *end == '\0' && *v <= max;
}

/* ---- output ---- */

static void
dump(const struct ebpf_prog *prog, const struct options *o)
{
	struct ebpf_err err;
	size_t n;
	const struct ebpf_insn *insns = ebpf_prog_insns(prog, &n);

	if (o->dump_native && native_dump(prog, stdout, &err) < 0)
		die("%s", err.text);
	for (size_t pc = 0; o->dump && pc < n;) {
		char line[EBPF_DISASM_SIZE];
		size_t slots = ebpf_disasm(&insns[pc], n - pc, line, sizeof(line));

		printf("%4zu: %s\n", pc, line);
		pc += slots;
	}
}

struct tracer {
	const struct ebpf_insn *insns;
	size_t n;
	uint64_t regs[EBPF_MAX_REG];
	bool has_regs;
};

/* One line: the instruction, and each register that it changed. */
static void
trace(void *arg, size_t pc, const uint64_t regs[EBPF_MAX_REG])
{
	struct tracer *t = arg;
	char line[EBPF_DISASM_SIZE];

	/* Where the stack is, is no news, and not the same in each run. */
	if (!t->has_regs)
		t->regs[EBPF_R10] = regs[EBPF_R10];
	t->has_regs = true;
	ebpf_disasm(&t->insns[pc], t->n - pc, line, sizeof(line));
	printf("%4zu: %s", pc, line);
	for (size_t i = 0; i < EBPF_MAX_REG; i++) {
		if (regs[i] != t->regs[i])
			printf(" ; r%zu=0x%" PRIx64, i, regs[i]);
	}
	putchar('\n');
	memcpy(t->regs, regs, sizeof(t->regs));
}

static uint64_t
run_checked(const struct ebpf_prog *prog, void *mem, size_t len, const struct options *o)
{
	struct tracer tracer = { .regs = { [1] = (uintptr_t)mem, [2] = len } };
	struct ebpf_run_opts opts = { .size = sizeof(opts) };
	struct ebpf_err err;
	uint64_t r0;

	if (o->trace) {
		tracer.insns = ebpf_prog_insns(prog, &tracer.n);
		opts.trace = trace;
		opts.trace_arg = &tracer;
	}
	if (ebpf_prog_run_checked(prog, mem, len, &opts, &r0, &err) < 0)
		die("%s", err.text);
	return r0;
}

/* ---- extended programs ---- */

/* What is not the result: the verifier's walk, and what a program prints. */
static void
print_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* Proven safe against memory of that size, unless told otherwise. */
static struct ebpf_load_opts
load_opts(size_t mem_size, const struct options *o)
{
	return (struct ebpf_load_opts){
		.size = sizeof(struct ebpf_load_opts),
		.policy = &o->policy,
		.print = print_line,
		.mem_size = mem_size,
		.verify = o->no_verify ? EBPF_VERIFY_OFF : EBPF_VERIFY_ON,
		.log = o->log ? print_line : NULL,
	};
}

/* Little-endian bytes to instructions. */
static struct ebpf_prog *
load_bytes(struct bytes code, const struct ebpf_load_opts *opts)
{
	size_t n_insns = code.n / 8;
	struct ebpf_insn *insns = must(calloc(n_insns + 1, sizeof(*insns)));
	struct ebpf_prog *prog;
	struct ebpf_err err;

	if (code.n % 8 != 0)
		die("stdin: %zu bytes of program, not a multiple of 8", code.n);
	for (size_t i = 0; i < n_insns; i++) {
		const uint8_t *p = code.p + 8 * i;
		uint32_t off = p[2] | (uint32_t)p[3] << 8;
		uint32_t imm = load_le32(p + 4);

		insns[i].code = p[0];
		insns[i].dst_reg = p[1] & 0xf;
		insns[i].src_reg = p[1] >> 4;
		insns[i].off = (int16_t)(off <= INT16_MAX ? (int32_t)off : (int32_t)off - 65536);
		insns[i].imm = imm <= INT32_MAX ? (int32_t)imm
						: -(int32_t)(UINT32_MAX - imm) - 1;
	}
	if (ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, n_insns, opts, &prog, &err) < 0)
		die("%s", err.text);
	free(insns);
	return prog;
}

static struct ebpf_prog *
load_object(const char *name, struct bytes file, const char *section,
	    const struct ebpf_load_opts *opts)
{
	struct ebpf_object *object;
	struct ebpf_prog *prog;
	struct ebpf_err err;

	if (ebpf_object_open(file.p, file.n, &object, &err) < 0 ||
	    ebpf_object_load(object, section, NULL, ebpf_prog_type_raw(), opts, &prog, &err) < 0)
		die("%s: %s", name, err.text);
	ebpf_object_close(object);
	return prog;
}

/* FILE or FILE:SECTION; a file of the whole name goes first. */
static struct ebpf_prog *
load_object_file(const char *arg, const struct ebpf_load_opts *opts)
{
	char *name = must(strdup(arg)), *section = NULL;
	FILE *f = fopen(name, "rb");
	struct ebpf_prog *prog;
	struct bytes file;

	if (f == NULL && (section = strrchr(name, ':')) != NULL) {
		*section++ = '\0';
		f = fopen(name, "rb");
	}
	if (f == NULL)
		die("%s: %s", name, strerror(errno));
	file = read_all(f, name);
	fclose(f);
	prog = load_object(name, file, section, opts);
	free(file.p);
	free(name);
	return prog;
}

/* As the conformance suite makes it: function main of .text, or else of xdp. */
static struct ebpf_prog *
load_elf(struct bytes file, const struct ebpf_load_opts *opts)
{
	const struct ebpf_prog_type *raw = ebpf_prog_type_raw();
	struct ebpf_object *object;
	struct ebpf_prog *prog;
	struct ebpf_err err;

	if (ebpf_object_open(file.p, file.n, &object, &err) < 0)
		die("stdin: %s", err.text);
	if (ebpf_object_load(object, ".text", "main", raw, opts, &prog, NULL) < 0 &&
	    ebpf_object_load(object, "xdp", "main", raw, opts, &prog, NULL) < 0 &&
	    ebpf_object_load(object, ".text", NULL, raw, opts, &prog, &err) < 0)
		die("stdin: %s", err.text);
	ebpf_object_close(object);
	return prog;
}

/* The program on stdin. */
static struct ebpf_prog *
load_stdin(bool is_elf, const struct ebpf_load_opts *opts)
{
	struct bytes text = read_stdin();
	struct bytes code = parse_hex("stdin", (const char *)text.p, text.n);
	struct ebpf_prog *prog = is_elf ? load_elf(code, opts) : load_bytes(code, opts);

	free(code.p);
	free(text.p);
	return prog;
}

static void
run_ebpf(const struct options *o)
{
	struct bytes mem = { NULL, 0 };
	struct ebpf_load_opts opts;
	struct ebpf_prog *prog;
	struct ebpf_err err;
	uint64_t r0;

	if (o->mem != NULL)
		mem = parse_hex("memory", o->mem, strlen(o->mem));
	opts = load_opts(mem.n, o);
	prog = o->object != NULL ? load_object_file(o->object, &opts)
				 : load_stdin(o->is_elf, &opts);
	dump(prog, o);
	if (o->no_verify || o->trace)
		r0 = run_checked(prog, mem.p, mem.n, o);
	else if (ebpf_prog_exec(prog, mem.p, mem.n, &r0, &err) < 0)
		die("%s", err.text);
	printf("%" PRIx64 "\n", r0);
	ebpf_prog_put(prog);
	free(mem.p);
}

/* ---- classic programs ---- */

/* A key of --meta: where its value goes in a view, and what it makes known. */
static const struct {
	const char *key;
	size_t off;
	size_t width;
	uint32_t known;
	uint64_t max;           /* 0: what the width holds */
} meta_keys[] = {
#define KEY(name, field, known) KEY_TO(name, field, known, 0)
#define KEY_TO(name, field, known, max)                                                            \
	{ name, offsetof(struct sift_view, field), sizeof(((struct sift_view *)0)->field), known,  \
	  max }
	KEY("protocol", protocol, SIFT_KNOWN_PROTOCOL),
	KEY("pkttype", pkttype, SIFT_KNOWN_PKTTYPE),
	KEY("ifindex", ifindex, SIFT_KNOWN_IFINDEX),
	KEY("hatype", hatype, SIFT_KNOWN_HATYPE),
	KEY("mark", mark, SIFT_KNOWN_MARK),
	KEY("queue", queue, SIFT_KNOWN_QUEUE),
	KEY("rxhash", rxhash, SIFT_KNOWN_RXHASH),
	KEY("cpu", cpu, SIFT_KNOWN_CPU),
	KEY("vlan_tci", vlan_tci, SIFT_KNOWN_VLAN),
	KEY("vlan_proto", vlan_proto, SIFT_KNOWN_VLAN),
	KEY_TO("vlan_present", vlan_present, SIFT_KNOWN_VLAN, 1),
	KEY("mac_header", mac_off, 0),
	KEY("network_header", net_off, 0),
#undef KEY_TO
#undef KEY
};

static void
store_field(struct sift_view *view, size_t off, size_t width, uint64_t v)
{
	uint8_t v8 = (uint8_t)v;
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;

	memcpy((uint8_t *)view + off,
	       width == 1 ? (const void *)&v8 : width == 2 ? (const void *)&v16 : &v32, width);
}

static void
set_meta(struct sift_view *view, const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof(meta_keys) / sizeof(meta_keys[0]); i++) {
		uint64_t max = UINT64_MAX >> (64 - 8 * meta_keys[i].width), v;

		if (strcmp(meta_keys[i].key, key) != 0)
			continue;
		if (meta_keys[i].max != 0)
			max = meta_keys[i].max;
		if (!parse_number(value, max, &v))
			usage("--meta: %s is a number from 0 to %" PRIu64 ", not %s", key, max,
			      value);
		store_field(view, meta_keys[i].off, meta_keys[i].width, v);
		view->known |= meta_keys[i].known;
		return;
	}
	usage("--meta: unknown key %s", key);
}

/* KEY=VALUE,... over what the frame itself tells. */
static void
parse_meta(struct sift_view *view, const char *list)
{
	char *copy = must(strdup(list)), *rest = copy, *item;

	while ((item = strsep(&rest, ",")) != NULL) {
		char *value = strchr(item, '=');

		if (value == NULL)
			usage("--meta: %s is not KEY=VALUE", item);
		*value++ = '\0';
		set_meta(view, item, value);
	}
	free(copy);
}

static struct cbpf_prog *
read_cbpf(enum cbpf_dialect dialect)
{
	struct bytes text = read_stdin();
	struct bytes code = parse_hex("stdin", (const char *)text.p, text.n);
	size_t n_insns = code.n / 8;
	struct cbpf_insn *insns = must(calloc(n_insns + 1, sizeof(*insns)));
	struct cbpf_prog *prog;
	struct ebpf_err err;

	if (code.n % 8 != 0)
		die("stdin: %zu bytes of program, not a multiple of 8", code.n);
	for (size_t i = 0; i < n_insns; i++) {
		const uint8_t *p = code.p + 8 * i;

		insns[i].code = (uint16_t)(p[0] | p[1] << 8);
		insns[i].jt = p[2];
		insns[i].jf = p[3];
		insns[i].k = load_le32(p + 4);
	}
	if (cbpf_check(insns, n_insns, dialect, &prog, &err) < 0)
		die("%s", err.text);
	free(insns);
	free(code.p);
	free(text.p);
	return prog;
}

/*
 * Target packet, as bpfsift runs it.  A traced run wants all that the program
 * reaches in one piece: the view, and the packet behind it.
 */
static uint32_t
run_on_packet(const struct cbpf_prog *cbpf, const struct sift_view *view, const struct options *o)
{
	struct sift_filter_opts opts = { .size = sizeof(opts), .policy = &o->policy,
					 .level = o->level };
	struct sift_filter *filter;
	struct ebpf_err err;
	uint32_t verdict;

	if (sift_filter_new(cbpf, &opts, &filter, &err) < 0)
		die("%s", err.text);
	dump(sift_filter_ebpf(filter), o);
	if (o->trace) {
		size_t len = sizeof(*view) + view->caplen;
		uint8_t *block = must(malloc(len));
		struct sift_view copy = *view;

		copy.data = block + sizeof(copy);
		memcpy(block, &copy, sizeof(copy));
		memcpy(block + sizeof(copy), view->data, view->caplen);
		verdict = (uint32_t)run_checked(sift_filter_ebpf(filter), block, len, o);
		free(block);
	} else {
		sift_filter_batch(filter, view, 1, &verdict);
	}
	sift_filter_free(filter);
	return verdict;
}

/* Target buffer: the lowered program on the bytes, each access tested; as machine code if asked. */
static uint32_t
run_on_buffer(const struct cbpf_prog *cbpf, const struct sift_view *view, struct bytes packet,
	      const struct options *o)
{
	struct cbpf_net_base base = { .off = view->net_off };
	struct cbpf_lower_opts opts = { .size = sizeof(opts), .net_base = &base,
					.level = o->level };
	struct ebpf_load_opts load = load_opts(packet.n, o);
	bool wants_jit = o->policy.jit == EBPF_JIT_REQUIRED;
	struct cbpf_lowered lowered;
	struct ebpf_prog *prog;
	struct ebpf_err err;
	uint64_t r0;

	if (cbpf_lower(cbpf, CBPF_TARGET_BUFFER, &opts, &lowered, &err) < 0)
		die("%s", err.text);
	load.verify = wants_jit ? EBPF_VERIFY_ON : EBPF_VERIFY_OFF;
	if (ebpf_prog_load_opts(ebpf_prog_type_raw(), lowered.insns, lowered.n_insns, &load, &prog,
				&err) < 0)
		die("%s", err.text);
	cbpf_lowered_free(&lowered);
	dump(prog, o);
	if (!wants_jit)
		r0 = run_checked(prog, packet.p, packet.n, o);
	else if (ebpf_prog_exec(prog, packet.p, packet.n, &r0, &err) < 0)
		die("%s", err.text);
	ebpf_prog_put(prog);
	return (uint32_t)r0;
}

static void
run_cbpf(const struct options *o)
{
	struct bytes packet = parse_hex("packet", o->packet, strlen(o->packet));
	struct cbpf_prog *prog;
	struct sift_view view;
	uint32_t verdict;

	if (packet.n > INT32_MAX)
		die("packet: %zu bytes, limit is %d", packet.n, INT32_MAX);
	sift_view_init(&view, DLT_OF_PACKET, packet.p, (uint32_t)packet.n,
		       o->has_wire_len ? o->wire_len : (uint32_t)packet.n);
	if (o->meta != NULL)
		parse_meta(&view, o->meta);
	prog = read_cbpf(o->dialect);
	if (o->target == CBPF_TARGET_PACKET)
		verdict = run_on_packet(prog, &view, o);
	else
		verdict = run_on_buffer(prog, &view, packet, o);
	printf("%" PRIu32 "\n", verdict);
	cbpf_prog_free(prog);
	free(packet.p);
}

/* ---- options ---- */

enum {
	OPT_ENGINE = 256, OPT_MEM, OPT_ELF, OPT_OBJECT, OPT_NO_VERIFY, OPT_LOG, OPT_TRACE, OPT_DUMP,
	OPT_DUMP_NATIVE,
	OPT_CBPF, OPT_PACKET, OPT_WIRE_LEN, OPT_META, OPT_TARGET, OPT_DIALECT, OPT_BLIND,
	OPT_HELP, OPT_VERSION,
};

static const struct option long_options[] = {
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "mem", required_argument, NULL, OPT_MEM },
	{ "elf", no_argument, NULL, OPT_ELF },
	{ "object", required_argument, NULL, OPT_OBJECT },
	{ "no-verify", no_argument, NULL, OPT_NO_VERIFY },
	{ "log", no_argument, NULL, OPT_LOG },
	{ "trace", no_argument, NULL, OPT_TRACE },
	{ "dump", no_argument, NULL, OPT_DUMP },
	{ "dump-native", no_argument, NULL, OPT_DUMP_NATIVE },
	{ "cbpf", no_argument, NULL, OPT_CBPF },
	{ "packet", required_argument, NULL, OPT_PACKET },
	{ "wire-len", required_argument, NULL, OPT_WIRE_LEN },
	{ "meta", required_argument, NULL, OPT_META },
	{ "target", required_argument, NULL, OPT_TARGET },
	{ "dialect", required_argument, NULL, OPT_DIALECT },
	{ "blind", no_argument, NULL, OPT_BLIND },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

/* Which of two words an option's argument is: 0 or 1. */
static int
choice(const char *option, const char *arg, const char *first, const char *second)
{
	if (strcmp(arg, first) == 0)
		return 0;
	if (strcmp(arg, second) == 0)
		return 1;
	usage("%s is %s or %s, not %s", option, first, second, arg);
}

static uint64_t
number(const char *option, const char *arg, uint64_t max)
{
	uint64_t v;

	if (!parse_number(arg, max, &v))
		usage("%s is a number from 0 to %" PRIu64 ", not %s", option, max, arg);
	return v;
}

static void
set_option(struct options *o, int option, const char *arg)
{
	switch (option) {
	case OPT_ENGINE:
		o->policy.jit = choice("--engine", arg, "interp", "jit") == 0 ? EBPF_JIT_OFF
									  : EBPF_JIT_REQUIRED;
		break;
	case OPT_MEM:
		o->mem = arg;
		break;
	case OPT_ELF:
		o->is_elf = true;
		break;
	case OPT_OBJECT:
		o->object = arg;
		break;
	case OPT_NO_VERIFY:
		o->no_verify = true;
		break;
	case OPT_LOG:
		o->log = true;
		break;
	case OPT_BLIND:
		o->policy.blinding = EBPF_BLINDING_ALWAYS;
		break;
	case OPT_TRACE:
		o->trace = true;
		break;
	case OPT_DUMP:
		o->dump = true;
		break;
	case OPT_DUMP_NATIVE:
		o->dump_native = true;
		break;
	case OPT_CBPF:
		o->is_cbpf = true;
		break;
	case OPT_PACKET:
		o->packet = arg;
		break;
	case OPT_WIRE_LEN:
		o->wire_len = (uint32_t)number("--wire-len", arg, UINT32_MAX);
		o->has_wire_len = true;
		break;
	case OPT_META:
		o->meta = arg;
		break;
	case OPT_TARGET:
		o->target = choice("--target", arg, "packet", "buffer") == 0 ? CBPF_TARGET_PACKET
									     : CBPF_TARGET_BUFFER;
		break;
	case OPT_DIALECT:
		o->dialect = choice("--dialect", arg, "kernel", "pcap") == 0 ? CBPF_DIALECT_KERNEL
									     : CBPF_DIALECT_PCAP;
		break;
	case 'O':
		o->level = (enum cbpf_level)(CBPF_LEVEL_0 + number("-O", arg, 2));
		break;
	case OPT_HELP:
		fputs(usage_text, stdout);
		finish_stdout();
		exit(EXIT_SUCCESS);
	case OPT_VERSION:
		puts("ebpfrun " PACKAGE_VERSION);
		finish_stdout();
		exit(EXIT_SUCCESS);
	default:
		fputs(usage_text, stderr);
		exit(EXIT_USAGE);
	}
}

static void
check_options(const struct options *o)
{
	if ((o->no_verify || o->trace) && o->policy.jit == EBPF_JIT_REQUIRED)
		usage("%s runs in the checked interpreter, not with --engine=jit",
		      o->no_verify ? "--no-verify" : "--trace");
	if (o->no_verify && o->log)
		usage("--log shows what the verifier does, not with --no-verify");
	if (o->is_cbpf && o->log)
		usage("--log is for extended programs; --cbpf lowers its own");
	if (o->is_cbpf && o->packet == NULL)
		usage("--cbpf needs --packet");
	if (o->is_elf && o->object != NULL)
		usage("--elf reads stdin, --object a file");
	if (o->is_cbpf && (o->is_elf || o->object != NULL))
		usage("object files hold extended programs, not --cbpf");
	if (o->is_cbpf && o->mem != NULL)
		usage("memory is for extended programs; --cbpf takes --packet");
	if (!o->is_cbpf && (o->packet != NULL || o->meta != NULL || o->has_wire_len))
		usage("--packet, --meta and --wire-len need --cbpf");
}

int
main(int argc, char **argv)
{
	struct options o = { .policy = { .size = sizeof(o.policy) } };
	int option;

	while ((option = getopt_long(argc, argv, "O:h", long_options, NULL)) != -1)
		set_option(&o, option == 'h' ? OPT_HELP : option, optarg);
	if (optind < argc && o.mem == NULL)
		o.mem = argv[optind++];
	if (optind < argc)
		usage("one argument too many: %s", argv[optind]);
	check_options(&o);
	if (o.is_cbpf)
		run_cbpf(&o);
	else
		run_ebpf(&o);
	finish_stdout();
	return EXIT_SUCCESS;
}
